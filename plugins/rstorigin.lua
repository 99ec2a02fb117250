-- rstorigin: who really sent that TCP reset?
--
-- GENERATED from the rulebook "default" version 1.
-- Do not edit: change the rulebook and run `rstorigin plugin generate`.
-- rulebook hash: 58eb6248e4998c2c10dcfa5d91ff623abacede3122e3bf1584d930eba455fa71
--
-- A post-dissector for Wireshark and tshark 4.0 and later (Lua 5.2 to 5.4). It compares every reset and every ICMP
-- error with the other packets of its claimed sender, and adds fields: try the display filter `rstorigin.verdict`, or
-- a column of it.
--
-- The plugin gathers state when a frame is dissected for the first time. It computes a verdict whenever a reset is
-- dissected, from all frames until then. In the Wireshark window, and in `tshark -2` with a display filter, these are
-- the whole file. In plain tshark they are the frames before the reset. (`tshark -2` without a filter builds no
-- fields in its first pass: docs/wireshark.md.)
--
-- `rstorigin open` hands over verdicts that the batch engine has made; then the plugin judges nothing, and looks each
-- frame up.
--
-- Parts: words, fields, preferences, packet details, menus, verdicts handed over; headers, TCP options, fast path,
-- fingerprint, packed records, host profiles, flow store, tracker, IP-ID runs, shared origin, reset context,
-- counterparts, ICMP errors, observables of resets and of ICMP errors, rules, scoring, dissector, summary. Some are
-- blocks of their own, since a Lua function (and a file is one) has at most 200 local variables.
--
-- The terms are TCP's own (RFC 9293). "Sender" is the source that a reset claims, "peer" the other end, "hop limit"
-- the IPv4 TTL or the IPv6 hop limit, "distance" the hops from a sender to the capture point. An ICMP error quotes
-- the packet that it rejects, the "probe", which the "prober" sent to the "target". SPDX-License-Identifier: MIT

local rstorigin
do
  local only_copy, made = pcall(Proto, "rstorigin", "RST origin")
  if not only_copy then
    io.stderr:write("rstorigin: another copy of this plugin is loaded already, and this one is left out: ",
      "leave out -X lua_script, or run `rstorigin plugin uninstall`\n")
    return
  end
  rstorigin = made
end

-- Whether Wireshark found this file in its own folders. From 4.4 on, it then gives the name of the file.
local function is_installed(argument)
  local function slashes(path)
    return (string.gsub(path, "\\", "/"))
  end
  local file = slashes(debug.getinfo(1, "S").source)
  for _, folder in ipairs { Dir.personal_plugins_path(), Dir.global_plugins_path() } do
    if string.sub(file, 2, #folder + 2) == slashes(folder) .. "/" then
      return true
    end
  end
  return argument == "rstorigin"
end

local installed = is_installed((...))

local THRESHOLDS = {
  burst_gap_us = 100000,
  speech_wait_us = 10000,
  seq_reach = 1048576,
  copy_gap_us = 100000,
  run_step = 8,
  hop_tolerance = 1,
  baseline_packets = 3,
  talk_gap_us = 20000,
}

local ACCUSED, MOST_LISTED, sent_from, sent_from_in_short, story_of
do
  -- Words -----------------------------------------------------------------------------------------------------

  -- Texts about packets hold only numbers, addresses and words of the rulebook: no text that a packet carries.

  ACCUSED = { ["forged"] = true, ["likely forged"] = true }

  MOST_LISTED = 20 -- rows in one table of the summary, or frames in a filter

  local function hops(number)
    return string.format(number == 1 and "%d hop" or "%d hops", number)
  end

  -- How many hops away a packet was sent, and how many hops away its named sender is.
  function sent_from(hops_away, sender_hops)
    local words = "sent from " .. hops(hops_away) .. " away"
    if not sender_hops then
      return words .. "; the capture does not show how far its named sender is"
    elseif sender_hops == hops_away then
      return words .. ", as far as its named sender"
    end
    return words .. "; its named sender is " .. hops(sender_hops) .. " away"
  end

  -- The same for a column.
  function sent_from_in_short(hops_away, sender_hops)
    if not sender_hops then
      return hops(hops_away) .. "; sender unknown"
    elseif sender_hops == hops_away then
      return hops(hops_away) .. ", as its sender"
    end
    return hops(hops_away) .. "; sender " .. string.format("%d", sender_hops)
  end

  -- All that is known of one reset, line by line. `baseline_at` is the frame to compare with.
  function story_of(frame, o, judgement, baseline_at)
    local story = { string.format("Frame %d: %s (suspicion %d %%), %s", frame, judgement.verdict, judgement.suspicion,
      sent_from(o.distance, o.baseline_distance)) }
    for _, rule in ipairs(judgement.fired) do
      story[#story + 1] = string.format("  %+5d  %s", rule.weight, rule.say(o))
    end
    for _, name in ipairs { "reason", "cause", "device" } do
      if judgement[name] ~= "" then
        story[#story + 1] = string.format("  %s: %s", name, judgement[name])
      end
    end
    if baseline_at then
      story[#story + 1] = string.format("  compare with frame %d, which the named sender sent", baseline_at)
    end
    return table.concat(story, "\n")
  end
end

local SHOWN, DEFAULT_LIMITS
local add_text, add_ordinary, add_judgement, add_icmp_judgement
do
  -- Fields ----------------------------------------------------------------------------------------------------

  local proto_fields = {
    kind = ProtoField.string("rstorigin.kind", "Kind", base.NONE,
      "rst (a TCP reset) or icmp (an ICMP or ICMPv6 error)"),
    stage = ProtoField.string("rstorigin.stage", "Stage", base.NONE,
      "Where the connection stood: post-syn, post-ack, post-psh, later, after-fin, or "
          .. "unknown where its start is missing"),
    end_reason = ProtoField.string("rstorigin.end_reason", "Session end reason", base.NONE,
      "What a Palo Alto firewall would log: whom the resets name, not who sent them"),
    cause = ProtoField.string("rstorigin.cause", "Cause", base.NONE,
      "What may have made the sender reset: a hypothesis"),
    verdict = ProtoField.string("rstorigin.verdict", "Verdict", base.NONE,
      "forged, likely forged, unclear, likely genuine or genuine"),
    origin = ProtoField.string("rstorigin.origin", "Origin", base.NONE,
      "endpoint, front-end, middlebox or unknown; of ICMP errors also router"),
    suspicion = ProtoField.uint8("rstorigin.suspicion", "Suspicion", base.DEC, nil, nil,
      "How likely another device sent it in another's name, 0-100"),
    hop_limit = ProtoField.uint8("rstorigin.hop_limit", "Hop limit", base.DEC, nil, nil,
      "IPv4 TTL or IPv6 hop limit of the header that carries TCP or the ICMP message, "
          .. "also inside tunnels"),
    hop_baseline = ProtoField.uint8("rstorigin.hop_baseline", "Hop baseline", base.DEC, nil, nil,
      "The most frequent hop limit of the sender's authentic packets, in the flow or "
          .. "else of the host"),
    hop_delta = ProtoField.int16("rstorigin.hop_delta", "Hop delta", base.DEC, nil, nil,
      "Hop limit minus hop baseline"),
    distance = ProtoField.uint8("rstorigin.distance", "Distance", base.DEC, nil, nil,
      "Hops from whoever sent this packet to the capture point"),
    sender_distance = ProtoField.uint8("rstorigin.sender_distance", "Sender distance", base.DEC, nil, nil,
      "Hops from the claimed sender to the capture point"),
    baseline_source = ProtoField.string("rstorigin.baseline_source", "Baseline source", base.NONE,
      "Where the hop baseline comes from: flow, host or none"),
    rtt_us = ProtoField.int64("rstorigin.rtt_us", "Round trip (us)", base.DEC, nil, nil,
      "Smallest round trip from the capture point to the sender, in microseconds"),
    response_us = ProtoField.int64("rstorigin.response_us", "Response time (us)", base.DEC, nil, nil,
      "Microseconds since the bytes that the reset acknowledges, or else since the "
          .. "peer's last packet"),
    device = ProtoField.string("rstorigin.device", "Device", base.NONE,
      "The known device or mechanism whose form it has, and how sure that is"),
    evidence = ProtoField.string("rstorigin.evidence", "Evidence", base.NONE,
      "Ids of the rules that fired; of ICMP errors the entry that holds"),
    reason = ProtoField.string("rstorigin.reason", "Reason", base.NONE,
      "Why the verdict is unclear"),
    quoted_hop_limit = ProtoField.uint8("rstorigin.quoted_hop_limit", "Quoted hop limit", base.DEC, nil, nil,
      "Hop limit that the packet quoted by an ICMP error had left when it was rejected"),
    where = ProtoField.string("rstorigin.where", "Sent from", base.NONE,
      "Where a suspect reset was sent from, against where the sender that it names sits"),
    ended_connection = ProtoField.bool("rstorigin.ended_connection", "Ended the connection", base.NONE, nil, nil,
      "true if the connection was open and ended with this reset, false if it came after "
          .. "the end or did not end it; empty where the capture does not show which"),
    silence_us = ProtoField.int64("rstorigin.silence_us", "Silence (us)", base.DEC, nil, nil,
      "Microseconds of silence before it: of the flow, or of the peer before its last "
          .. "packet, if that was longer"),
    score = ProtoField.int32("rstorigin.score", "Score", base.DEC, nil, nil,
      "Sum of the evidence, in hundredths of a natural-log odds ratio"),
    baseline_frame = ProtoField.framenum("rstorigin.baseline_frame", "Compare with frame", base.NONE, frametype.NONE, 0,
      "The first packet with the hop baseline that the named sender certainly sent, to " .. "compare with"),
    sent_from = ProtoField.string("rstorigin.sent_from", "Sent from", base.NONE,
      "Hops to whoever sent it, and to the sender that it names, by their hop limits: 0 "
          .. "hops; sender 5"),
    state = ProtoField.string("rstorigin.state", "State", base.NONE,
      "final, or provisional as long as packets of the flow keep coming"),
    flow_verdict = ProtoField.string("rstorigin.flow_verdict", "Flow verdict", base.NONE,
      "The verdict of the most suspicious of them: rstorigin.flow_verdict == \034forged\034 "
          .. "shows whole stories"),
  }

  -- One boolean for each rule, and for each id that it had before, present where the rule fired. Rules that never hold
  -- in Wireshark have one too, so that display filters may name every rule.
  local evidence_fields = {
    ["desync_fake"] = ProtoField.bool("rstorigin.evidence.desync_fake",
      "the client itself sends a fake reset that must not arrive, to confuse a censor"),
    ["two_initial_hop_limits"] = ProtoField.bool("rstorigin.evidence.two_initial_hop_limits",
      "the host starts data from 60 and resets from 64"),
    ["other_stack"] = ProtoField.bool("rstorigin.evidence.other_stack",
      "a stack other than Linux aborts without timestamps or don't-fragment"),
    ["silent_drop"] = ProtoField.bool("rstorigin.evidence.silent_drop",
      "the host sends a reset that dies at its first router"),
    ["injected_data"] = ProtoField.bool("rstorigin.evidence.injected_data",
      "a device injects data in the sender's name, and then resets"),
    ["untranslated_reset"] = ProtoField.bool("rstorigin.evidence.untranslated_reset",
      "the host's own reset, to which the address translation was not applied"),
    ["undialled_address"] = ProtoField.bool("rstorigin.evidence.undialled_address",
      "the kernel refuses packets that come from an address which it did not dial"),
    ["owner_of_translated_address"] = ProtoField.bool("rstorigin.evidence.owner_of_translated_address",
      "the device that owns and translates this address answers by itself"),
    ["owner_of_address"] = ProtoField.bool("rstorigin.evidence.owner_of_address",
      "the device that owns this address, and forwards other ports of it, refuses this one"),
    ["hop_gap"] = ProtoField.bool("rstorigin.evidence.hop_gap",
      "Hop limit that the sender never uses in this flow"),
    ["hop_gap_further"] = ProtoField.bool("rstorigin.evidence.hop_gap_further",
      "From a few hops beyond the sender"),
    ["hop_gap_thin"] = ProtoField.bool("rstorigin.evidence.hop_gap_thin",
      "Hop limit unlike the few packets of the sender"),
    ["hop_gap_one"] = ProtoField.bool("rstorigin.evidence.hop_gap_one",
      "Hop limit one away from the sender's"),
    ["hop_gap_one_bare"] = ProtoField.bool("rstorigin.evidence.hop_gap_one_bare",
      "One hop before the sender, and not the abort of its socket"),
    ["hop_gap_one_bare_ipv6"] = ProtoField.bool("rstorigin.evidence.hop_gap_one_bare_ipv6",
      "Now hop_gap_one_bare"),
    ["hop_gap_one_unstamped"] = ProtoField.bool("rstorigin.evidence.hop_gap_one_unstamped",
      "One hop before the sender, without its timestamps"),
    ["hop_gap_one_unstamped_ipv6"] = ProtoField.bool("rstorigin.evidence.hop_gap_one_unstamped_ipv6",
      "Now hop_gap_one_unstamped"),
    ["hop_gap_host"] = ProtoField.bool("rstorigin.evidence.hop_gap_host",
      "Not from the distance of the sender's host"),
    ["hop_gap_host_further"] = ProtoField.bool("rstorigin.evidence.hop_gap_host_further",
      "From beyond the sender's host"),
    ["near_initial"] = ProtoField.bool("rstorigin.evidence.near_initial",
      "Sent from near the capture point; the sender is further away"),
    ["near_initial_host"] = ProtoField.bool("rstorigin.evidence.near_initial_host",
      "Sent from near the capture point; the host is further away"),
    ["hop_known_of_host"] = ProtoField.bool("rstorigin.evidence.hop_known_of_host",
      "Not from the distance of the flow, but from one of the host"),
    ["service_hop_limit"] = ProtoField.bool("rstorigin.evidence.service_hop_limit",
      "Answers too soon to be as far as its baseline says"),
    ["late_for_its_place"] = ProtoField.bool("rstorigin.evidence.late_for_its_place",
      "A whole round trip from a fraction of the way"),
    ["hop_match"] = ProtoField.bool("rstorigin.evidence.hop_match",
      "Hop limit as in the sender's own packets"),
    ["hop_match_near"] = ProtoField.bool("rstorigin.evidence.hop_match_near",
      "Hop limit as in the sender's own packets, from very near"),
    ["hop_match_local"] = ProtoField.bool("rstorigin.evidence.hop_match_local",
      "Sender and reset both on this link"),
    ["hop_match_host"] = ProtoField.bool("rstorigin.evidence.hop_match_host",
      "Distance as in the host's other packets"),
    ["hop_match_host_local"] = ProtoField.bool("rstorigin.evidence.hop_match_host_local",
      "Host and reset both on this link"),
    ["hop_match_host_near"] = ProtoField.bool("rstorigin.evidence.hop_match_host_near",
      "Distance as in the host's other packets, from very near"),
    ["raw_scanner"] = ProtoField.bool("rstorigin.evidence.raw_scanner",
      "Kernel of a raw-socket scanner"),
    ["own_resets_too"] = ProtoField.bool("rstorigin.evidence.own_resets_too",
      "The sender reset this flow itself as well"),
    ["own_resets_too_ipv6"] = ProtoField.bool("rstorigin.evidence.own_resets_too_ipv6",
      "Now own_resets_too"),
    ["after_own_abort"] = ProtoField.bool("rstorigin.evidence.after_own_abort",
      "Beside the sender's own reset, as its kernel answers (IPv4)"),
    ["after_own_abort_ipv6"] = ProtoField.bool("rstorigin.evidence.after_own_abort_ipv6",
      "Beside the sender's own reset, as its kernel answers (IPv6)"),
    ["another_way_ipv6"] = ProtoField.bool("rstorigin.evidence.another_way_ipv6",
      "By another way, as its flow label may choose"),
    ["handshake_match"] = ProtoField.bool("rstorigin.evidence.handshake_match",
      "Same box as the handshake, data from another"),
    ["causality"] = ProtoField.bool("rstorigin.evidence.causality",
      "Answers sooner than the sender can"),
    ["causality_in_place"] = ProtoField.bool("rstorigin.evidence.causality_in_place",
      "Answers sooner than the Linux sender did, from its distance"),
    ["causality_in_place_other"] = ProtoField.bool("rstorigin.evidence.causality_in_place_other",
      "Answers sooner than the sender did, from its distance"),
    ["causality_host"] = ProtoField.bool("rstorigin.evidence.causality_host",
      "Answers sooner than the host does elsewhere, from about its distance"),
    ["causality_once"] = ProtoField.bool("rstorigin.evidence.causality_once",
      "Answers sooner than the only round trip measured"),
    ["sooner_by_another_way"] = ProtoField.bool("rstorigin.evidence.sooner_by_another_way",
      "Early, but by a route that the host's other packets take too"),
    ["full_rtt"] = ProtoField.bool("rstorigin.evidence.full_rtt",
      "Refuses after exactly one round trip, from the host's distance"),
    ["full_rtt_elsewhere"] = ProtoField.bool("rstorigin.evidence.full_rtt_elsewhere",
      "Refuses after exactly one round trip, by a hop limit of its own"),
    ["refused_from_this_link"] = ProtoField.bool("rstorigin.evidence.refused_from_this_link",
      "Refuses at once, from this very link"),
    ["answers_from_this_link"] = ProtoField.bool("rstorigin.evidence.answers_from_this_link",
      "Answers at once, from this very link"),
    ["too_fast"] = ProtoField.bool("rstorigin.evidence.too_fast",
      "Sooner than half a round trip after the peer began to send"),
    ["unprovoked"] = ProtoField.bool("rstorigin.evidence.unprovoked",
      "Answers what cannot have reached the Linux host"),
    ["unprovoked_other"] = ProtoField.bool("rstorigin.evidence.unprovoked_other",
      "Answers what cannot have reached the sender"),
    ["both_ways"] = ProtoField.bool("rstorigin.evidence.both_ways",
      "Resets in both directions at once"),
    ["speaks_after"] = ProtoField.bool("rstorigin.evidence.speaks_after",
      "The sender continues after its own reset"),
    ["own_firewall"] = ProtoField.bool("rstorigin.evidence.own_firewall",
      "As the sender's own firewall rejects"),
    ["own_firewall_ipv6"] = ProtoField.bool("rstorigin.evidence.own_firewall_ipv6",
      "Now own_firewall"),
    ["own_firewall_another_way"] = ProtoField.bool("rstorigin.evidence.own_firewall_another_way",
      "As the sender's own firewall rejects, by another route (IPv6)"),
    ["speaks_after_syn"] = ProtoField.bool("rstorigin.evidence.speaks_after_syn",
      "A scanner continues after its kernel's reset"),
    ["refuses_accepted"] = ProtoField.bool("rstorigin.evidence.refuses_accepted",
      "Refuses what the sender accepts"),
    ["refuses_accepted_elsewhere"] = ProtoField.bool("rstorigin.evidence.refuses_accepted_elsewhere",
      "Refuses from elsewhere what the sender accepts"),
    ["burst_hops"] = ProtoField.bool("rstorigin.evidence.burst_hops",
      "One burst, several foreign hop limits"),
    ["seq_stride"] = ProtoField.bool("rstorigin.evidence.seq_stride",
      "One burst steps ahead of the sender's sequence numbers"),
    ["seq_stride_gap"] = ProtoField.bool("rstorigin.evidence.seq_stride_gap",
      "With a burst that steps ahead, not from the sender's distance"),
    ["burst_company"] = ProtoField.bool("rstorigin.evidence.burst_company",
      "In one burst with hop limits that the sender never uses"),
    ["mirrored"] = ProtoField.bool("rstorigin.evidence.mirrored",
      "IP ID copied from the packet it answers"),
    ["mirrored_reserved"] = ProtoField.bool("rstorigin.evidence.mirrored_reserved",
      "Reserved bits copied from the packet it answers"),
    ["mirrored_window"] = ProtoField.bool("rstorigin.evidence.mirrored_window",
      "Window copied from the packet it answers"),
    ["bad_ack"] = ProtoField.bool("rstorigin.evidence.bad_ack",
      "Acknowledges what cannot be acknowledged"),
    ["bad_ack_isn"] = ProtoField.bool("rstorigin.evidence.bad_ack_isn",
      "Acknowledges the SYN's own number"),
    ["bare_on_open"] = ProtoField.bool("rstorigin.evidence.bare_on_open",
      "RST without ACK on an open connection of Linux"),
    ["bare_on_open_other"] = ProtoField.bool("rstorigin.evidence.bare_on_open_other",
      "RST without ACK on an open connection"),
    ["behind"] = ProtoField.bool("rstorigin.evidence.behind",
      "Abort with a sequence number of the past"),
    ["behind_gap"] = ProtoField.bool("rstorigin.evidence.behind_gap",
      "Abort with a sequence number of the past, from elsewhere"),
    ["behind_other"] = ProtoField.bool("rstorigin.evidence.behind_other",
      "Abort with a sequence number of the past, not of Linux"),
    ["explained"] = ProtoField.bool("rstorigin.evidence.explained",
      "RST without ACK on a connection that had ended"),
    ["ts_missing"] = ProtoField.bool("rstorigin.evidence.ts_missing",
      "Abort without the timestamps of the Linux sender"),
    ["ts_missing_other"] = ProtoField.bool("rstorigin.evidence.ts_missing_other",
      "Abort without the sender's timestamps"),
    ["ts_missing_linux"] = ProtoField.bool("rstorigin.evidence.ts_missing_linux",
      "Not the abort of a Linux socket"),
    ["abort_again_linux"] = ProtoField.bool("rstorigin.evidence.abort_again_linux",
      "Second abort of one Linux socket"),
    ["abort_window_linux"] = ProtoField.bool("rstorigin.evidence.abort_window_linux",
      "A closed window that Linux does not close"),
    ["abort_label_linux"] = ProtoField.bool("rstorigin.evidence.abort_label_linux",
      "Abort without its socket's flow label"),
    ["abort_label_stamped"] = ProtoField.bool("rstorigin.evidence.abort_label_stamped",
      "The last packet's timestamp, without its flow label"),
    ["bare_window_linux"] = ProtoField.bool("rstorigin.evidence.bare_window_linux",
      "A window that Linux leaves 0"),
    ["bare_ack_linux"] = ProtoField.bool("rstorigin.evidence.bare_ack_linux",
      "An acknowledgement number without ACK"),
    ["bare_id_linux"] = ProtoField.bool("rstorigin.evidence.bare_id_linux",
      "IP ID or don't-fragment bit unlike Linux"),
    ["bare_label_linux"] = ProtoField.bool("rstorigin.evidence.bare_label_linux",
      "The socket's flow label in a reset without socket"),
    ["bare_form_linux"] = ProtoField.bool("rstorigin.evidence.bare_form_linux",
      "Reset as Linux answers without a socket (IPv4)"),
    ["bare_form_linux_ipv6"] = ProtoField.bool("rstorigin.evidence.bare_form_linux_ipv6",
      "Reset as Linux answers without a socket (IPv6)"),
    ["df_clear"] = ProtoField.bool("rstorigin.evidence.df_clear",
      "Don't-fragment clear, unlike the sender's"),
    ["ip_id_foreign"] = ProtoField.bool("rstorigin.evidence.ip_id_foreign",
      "IP ID does not continue the sender's sequence"),
    ["ip_id_foreign_abort"] = ProtoField.bool("rstorigin.evidence.ip_id_foreign_abort",
      "Abort with an IP ID that does not continue the sender's sequence"),
    ["ip_id_foreign_linux"] = ProtoField.bool("rstorigin.evidence.ip_id_foreign_linux",
      "Not the IP ID of a Linux socket"),
    ["flow_label_zero"] = ProtoField.bool("rstorigin.evidence.flow_label_zero",
      "Flow label 0, unlike the sender's"),
    ["tos_echo"] = ProtoField.bool("rstorigin.evidence.tos_echo",
      "Type of service of the SYN echoed"),
    ["active_form"] = ProtoField.bool("rstorigin.evidence.active_form",
      "Timestamp continues the sender's"),
    ["stamped_abort"] = ProtoField.bool("rstorigin.evidence.stamped_abort",
      "An abort with TCP options, of a flow of which the capture shows nothing else"),
    ["id_run"] = ProtoField.bool("rstorigin.evidence.id_run",
      "IP ID is the sender's next"),
    ["id_counter"] = ProtoField.bool("rstorigin.evidence.id_counter",
      "IP ID goes on in the sender's counter"),
    ["refuses_syn_ack"] = ProtoField.bool("rstorigin.evidence.refuses_syn_ack",
      "Refuses a SYN-ACK, from where its SYN came"),
    ["abort_window_less"] = ProtoField.bool("rstorigin.evidence.abort_window_less",
      "A window smaller than Linux may offer"),
    ["abort_window_jump"] = ProtoField.bool("rstorigin.evidence.abort_window_jump",
      "A window larger than Linux would have offered"),
    ["after_fin"] = ProtoField.bool("rstorigin.evidence.after_fin",
      "After a FIN: ordinary close"),
    ["own_name"] = ProtoField.bool("rstorigin.evidence.own_name",
      "A neighbour's address from another MAC"),
    ["new_mac"] = ProtoField.bool("rstorigin.evidence.new_mac",
      "MAC that the sender never uses"),
    ["new_mac_known_hop"] = ProtoField.bool("rstorigin.evidence.new_mac_known_hop",
      "MAC that the sender never uses, with a hop limit of its host"),
    ["shared_counter"] = ProtoField.bool("rstorigin.evidence.shared_counter",
      "One IP ID counter for three unrelated senders or more"),
    ["shared_counter_here"] = ProtoField.bool("rstorigin.evidence.shared_counter_here",
      "One IP ID counter, but from where the sender sits"),
    ["shared_counter_near"] = ProtoField.bool("rstorigin.evidence.shared_counter_near",
      "One IP ID counter for three neighbours or more, from elsewhere"),
    ["shared_counter_two"] = ProtoField.bool("rstorigin.evidence.shared_counter_two",
      "One IP ID counter for two unrelated senders"),
    ["same_place"] = ProtoField.bool("rstorigin.evidence.same_place",
      "Resets of senders from everywhere come from one place"),
    ["same_place_unseen"] = ProtoField.bool("rstorigin.evidence.same_place_unseen",
      "From the place of resets that are not their senders'"),
    ["same_place_everywhere"] = ProtoField.bool("rstorigin.evidence.same_place_everywhere",
      "Unrelated senders refuse from one place"),
    ["nobody_so_near"] = ProtoField.bool("rstorigin.evidence.nobody_so_near",
      "Both ends on this link, though of unrelated networks"),
    ["netscaler_code"] = ProtoField.bool("rstorigin.evidence.netscaler_code",
      "NetScaler reset code in the window"),
    ["bigip_cause"] = ProtoField.bool("rstorigin.evidence.bigip_cause",
      "F5 BIG-IP reset cause in the payload or the Ethernet trailer"),
    ["case_gap"] = ProtoField.bool("rstorigin.evidence.case_gap",
      "Not from where its host sits in other captures"),
    ["case_gap_small"] = ProtoField.bool("rstorigin.evidence.case_gap_small",
      "Not quite from where its host sits in other captures, or from beyond"),
    ["case_match"] = ProtoField.bool("rstorigin.evidence.case_match",
      "From where its host sits in other captures"),
    ["case_counter"] = ProtoField.bool("rstorigin.evidence.case_counter",
      "One IP ID counter for three unrelated senders or more, over several captures"),
    ["never_left"] = ProtoField.bool("rstorigin.evidence.never_left",
      "Never left the claimed sender's own interface"),
    ["left_sender"] = ProtoField.bool("rstorigin.evidence.left_sender",
      "Seen leaving the claimed sender's own interface"),
    ["kernel_sent"] = ProtoField.bool("rstorigin.evidence.kernel_sent",
      "The claimed sender's kernel says that it sent it"),
    ["kernel_never_sent"] = ProtoField.bool("rstorigin.evidence.kernel_never_sent",
      "The claimed sender's kernel never sent it"),
  }

  -- One boolean for each entry that judges ICMP errors, present where the entry holds.
  local icmp_fields = {
    ["unspecified_source"] = ProtoField.bool("rstorigin.icmp.unspecified_source",
      "unspecified source"),
    ["no_hop_limit"] = ProtoField.bool("rstorigin.icmp.no_hop_limit",
      "no hop limit"),
    ["no_quote"] = ProtoField.bool("rstorigin.icmp.no_quote",
      "no quote"),
    ["not_its_packet"] = ProtoField.bool("rstorigin.icmp.not_its_packet",
      "not its packet"),
    ["undefined"] = ProtoField.bool("rstorigin.icmp.undefined",
      "undefined"),
    ["starts_from_sixty"] = ProtoField.bool("rstorigin.icmp.starts_from_sixty",
      "starts from sixty"),
    ["in_the_hosts_name"] = ProtoField.bool("rstorigin.icmp.in_the_hosts_name",
      "in the hosts name"),
    ["never_came_near"] = ProtoField.bool("rstorigin.icmp.never_came_near",
      "never came near"),
    ["short_of_the_host"] = ProtoField.bool("rstorigin.icmp.short_of_the_host",
      "short of the host"),
    ["host_out_of_place"] = ProtoField.bool("rstorigin.icmp.host_out_of_place",
      "host out of place"),
    ["one_hop_off"] = ProtoField.bool("rstorigin.icmp.one_hop_off",
      "one hop off"),
    ["host_itself"] = ProtoField.bool("rstorigin.icmp.host_itself",
      "host itself"),
    ["host_itself_near"] = ProtoField.bool("rstorigin.icmp.host_itself_near",
      "host itself near"),
    ["host_unseen"] = ProtoField.bool("rstorigin.icmp.host_unseen",
      "host unseen"),
    ["host_unknown"] = ProtoField.bool("rstorigin.icmp.host_unknown",
      "host unknown"),
    ["source_out_of_place"] = ProtoField.bool("rstorigin.icmp.source_out_of_place",
      "source out of place"),
    ["prohibited"] = ProtoField.bool("rstorigin.icmp.prohibited",
      "prohibited"),
    ["port_refused_for_host"] = ProtoField.bool("rstorigin.icmp.port_refused_for_host",
      "port refused for host"),
    ["tcp_port_refused"] = ProtoField.bool("rstorigin.icmp.tcp_port_refused",
      "tcp port refused"),
    ["port_refused_on_the_way"] = ProtoField.bool("rstorigin.icmp.port_refused_on_the_way",
      "port refused on the way"),
    ["port_by_another_address"] = ProtoField.bool("rstorigin.icmp.port_by_another_address",
      "port by another address"),
    ["policy_as_unreachable"] = ProtoField.bool("rstorigin.icmp.policy_as_unreachable",
      "policy as unreachable"),
    ["policy_as_unreachable_too"] = ProtoField.bool("rstorigin.icmp.policy_as_unreachable_too",
      "policy as unreachable too"),
    ["policy_as_unreachable_later"] = ProtoField.bool("rstorigin.icmp.policy_as_unreachable_later",
      "policy as unreachable later"),
    ["unreachable"] = ProtoField.bool("rstorigin.icmp.unreachable",
      "unreachable"),
    ["hops_used_up"] = ProtoField.bool("rstorigin.icmp.hops_used_up",
      "hops used up"),
    ["on_the_way"] = ProtoField.bool("rstorigin.icmp.on_the_way",
      "on the way"),
  }

  for _, fields in ipairs { proto_fields, evidence_fields, icmp_fields } do
    for _, proto_field in pairs(fields) do
      rstorigin.fields[#rstorigin.fields + 1] = proto_field
    end
  end

  -- What Analyze > Expert Information lists, by verdict.
  local experts = {
    ["forged"] = ProtoExpert.new("rstorigin.expert.forged", "Forged: not sent by the host that it names",
      expert.group.SECURITY, expert.severity.WARN),
    ["likely forged"] = ProtoExpert.new("rstorigin.expert.likely_forged",
      "Likely forged: probably not sent by the host that it names", expert.group.SECURITY, expert.severity.NOTE),
  }
  rstorigin.experts = { experts["forged"], experts["likely forged"] }

  -- Preferences: Edit > Preferences > Protocols > RSTORIGIN ---------------------------------------------------

  -- What the plugin adds to the Info column of resets and ICMP errors.
  local INFO = { nothing = 0, accused = 1, verdict = 2, where = 3 }
  SHOWN = { info = INFO.accused }

  -- The limits of the rulebook, in percent of suspicion.
  DEFAULT_LIMITS = {
    forged = 99,
    likely_forged = 88,
    likely_genuine = 18,
    genuine = 3,
  }

  local prefs = rstorigin.prefs
  prefs.judge = Pref.bool("Judge resets in this profile", false,
    "Without it, an installed plugin shows nothing. The profile \"RST origin\" has it on. "
    .. "In Wireshark, it costs nothing in other profiles; tshark needs 20 to 40 % more CPU time.")
  prefs.summary = Pref.bool("Summary at the end (tshark)", false, "tshark prints a summary when it has read the file")
  prefs.forged = Pref.uint("Forged from a suspicion of (%)", DEFAULT_LIMITS.forged,
    "Resets at least this suspicious are called forged")
  prefs.likely_forged = Pref.uint("Likely forged from a suspicion of (%)", DEFAULT_LIMITS.likely_forged,
    "Resets at least this suspicious are called likely forged")
  prefs.likely_genuine = Pref.uint("Likely genuine up to a suspicion of (%)", DEFAULT_LIMITS.likely_genuine,
    "Resets at most this suspicious are called likely genuine")
  prefs.genuine = Pref.uint("Genuine up to a suspicion of (%)", DEFAULT_LIMITS.genuine,
    "Resets at most this suspicious are called genuine")
  prefs.hop_tolerance = Pref.uint("Hop tolerance", THRESHOLDS.hop_tolerance,
    "Hops: a difference up to this is a change of route rather than another sender")
  prefs.baseline_packets = Pref.uint("Minimum baseline (packets)", THRESHOLDS.baseline_packets,
    "Packets of a host from which its hop limit is a baseline")
  prefs.flows = Pref.uint("Flows kept", 1000000,
    "How many flows to keep in memory. The flows silent for the longest go first; flows with resets always stay.")
  prefs.info = Pref.enum("Show in Info", INFO.accused, "What the Info column gets of resets and ICMP errors", {
    { 1, "nothing", INFO.nothing },
    { 2, "forged and likely forged", INFO.accused },
    { 3, "every verdict", INFO.verdict },
    { 4, "every verdict and where it was sent from", INFO.where },
  }, false)

  -- Packet details --------------------------------------------------------------------------------------------

  -- Lua 5.4 distinguishes 5 from 5.0, and Wireshark's integer fields take only 5.
  local function add_number(tree, name, number)
    if number then
      tree:add(proto_fields[name], math.floor(number)):set_generated()
    end
  end

  -- Wireshark's 64-bit fields take an Int64, which is made of two halves.
  local function add_int64(tree, name, number)
    if number then
      local low = number % 4294967296
      local high = math.floor(number / 4294967296) % 4294967296
      tree:add(proto_fields[name], Int64.new(math.floor(low), math.floor(high))):set_generated()
    end
  end

  local function add_flag(tree, name, flag)
    if flag ~= nil then
      tree:add(proto_fields[name], flag):set_generated()
    end
  end

  function add_text(tree, name, words)
    if words and words ~= "" then
      tree:add(proto_fields[name], words):set_generated()
    end
  end

  -- Of an ordinary packet. `verdict` is that of its flow, if that has resets.
  function add_ordinary(tree, hop_limit, baseline, verdict)
    local words = string.format(": hop limit %d", hop_limit)
    if baseline then
      words = words .. (hop_limit == baseline and ", as usual" or string.format("; its sender mostly has %d", baseline))
    end
    if verdict then
      words = words .. string.format("; the most suspicious reset of this flow is %s", verdict)
    end
    tree:append_text(words)
    add_number(tree, "hop_limit", hop_limit)
    if baseline then
      add_number(tree, "hop_baseline", baseline)
      add_number(tree, "hop_delta", hop_limit - baseline)
    end
    add_text(tree, "flow_verdict", verdict)
  end

  local function add_branch(tree, words)
    local branch = tree:add(words)
    branch:set_generated()
    return branch
  end

  -- `field` is nil for a rule that only the rulebook of handed-over verdicts has.
  local function add_fired(tree, field, words)
    if not field then
      add_branch(tree, words)
      return
    end
    local item = tree:add(field, true)
    item:set_text(words)
    item:set_generated()
  end

  -- Shows the rules that fired for (`sign` 1) or against (-1) another device as the sender, below the sum of their
  -- weights.
  local function add_evidence(tree, title, sign, o, fired)
    local sum = 0
    for _, rule in ipairs(fired) do
      sum = sum + (rule.weight * sign > 0 and rule.weight or 0)
    end
    if sum == 0 then
      return
    end
    local branch = add_branch(tree, string.format("%s: %+d", title, sum))
    for _, rule in ipairs(fired) do
      if rule.weight * sign > 0 then
        add_fired(branch, evidence_fields[rule.id], string.format("%+d %s: %s", rule.weight, rule.id, rule.say(o)))
        for _, old_id in ipairs(rule.was or {}) do -- for display filters that name it
          branch:add(evidence_fields[old_id], true):set_hidden()
        end
      end
    end
  end

  -- Writes the verdict into the first line of the details, into the Info column if the user wants it there, and into
  -- Expert Information if the verdict is worth it.
  local function add_headline(tree, pinfo, verdict, suspicion, where)
    tree:append_text(string.format(": %s (suspicion %d %%), %s", verdict, suspicion, where))
    if SHOWN.info == INFO.verdict or (SHOWN.info == INFO.accused and ACCUSED[verdict]) then
      pinfo.cols.info:append(" [" .. verdict .. "]")
    elseif SHOWN.info == INFO.where then
      pinfo.cols.info:append(" [" .. verdict .. ", " .. where .. "]")
    end
    local expert_info = experts[verdict]
    if expert_info then
      tree:add_proto_expert_info(expert_info, verdict .. ": " .. where)
    end
  end

  local function add_observables(tree, o, judgement)
    local branch = add_branch(tree, "Observables")
    add_text(branch, "kind", "rst")
    add_number(branch, "score", judgement.score)
    add_text(branch, "evidence", judgement.evidence)
    add_text(branch, "stage", o.stage)
    add_flag(branch, "ended_connection", o.ended_connection)
    add_text(branch, "end_reason", o.end_reason)
    add_number(branch, "hop_limit", o.hop_limit)
    add_number(branch, "hop_baseline", o.hop_baseline)
    add_number(branch, "hop_delta", o.hop_delta)
    add_text(branch, "baseline_source", o.baseline_source)
    add_number(branch, "distance", o.distance)
    add_number(branch, "sender_distance", o.baseline_distance)
    add_int64(branch, "rtt_us", o.rtt_us)
    add_int64(branch, "response_us", o.response_us)
    add_int64(branch, "silence_us", o.silence_us)
  end

  -- Shows the judgement of a reset. `o` has its observables, `baseline_at` is the frame to compare with.
  function add_judgement(tree, pinfo, o, judgement, baseline_at)
    local where = sent_from(o.distance, o.baseline_distance)
    add_headline(tree, pinfo, judgement.verdict, judgement.suspicion, where)
    add_text(tree, "sent_from", sent_from_in_short(o.distance, o.baseline_distance))
    add_text(tree, "verdict", judgement.verdict)
    add_number(tree, "suspicion", judgement.suspicion)
    add_text(tree, "origin", judgement.origin)
    add_text(tree, "where", judgement.where)
    add_text(tree, "reason", judgement.reason)
    add_text(tree, "cause", judgement.cause)
    add_text(tree, "device", judgement.device)
    add_number(tree, "baseline_frame", baseline_at)
    add_evidence(tree, "Evidence that another device sent it", 1, o, judgement.fired)
    add_evidence(tree, "Evidence that the endpoint sent it", -1, o, judgement.fired)
    add_observables(tree, o, judgement)
  end

  local function add_icmp_observables(tree, o, derived, entry)
    local branch = add_branch(tree, "Observables")
    add_text(branch, "kind", "icmp")
    add_text(branch, "evidence", entry.id)
    add_text(branch, "stage", o.stage)
    add_number(branch, "hop_limit", o.hop_limit)
    add_number(branch, "hop_baseline", o.hop_baseline)
    add_number(branch, "hop_delta", derived.hop_delta)
    add_text(branch, "baseline_source", derived.baseline_source)
    add_number(branch, "quoted_hop_limit", o.quoted_hop_limit)
    add_number(branch, "distance", o.distance)
    add_number(branch, "sender_distance", derived.sender_distance)
  end

  -- The same of an ICMP error. `derived` has the columns that follow from its observables, `entry` is what judges it.
  function add_icmp_judgement(tree, pinfo, o, derived, entry, baseline_at)
    local words = entry.say(o)
    add_headline(tree, pinfo, entry.verdict, entry.suspicion, sent_from(o.distance, derived.sender_distance))
    add_text(tree, "sent_from", sent_from_in_short(o.distance, derived.sender_distance))
    add_text(tree, "verdict", entry.verdict)
    add_number(tree, "suspicion", entry.suspicion)
    add_text(tree, "origin", entry.origin)
    add_text(tree, "reason", entry.verdict == "unclear" and words)
    add_text(tree, "device", entry.device)
    add_number(tree, "baseline_frame", baseline_at)
    if entry.id then
      add_fired(tree, icmp_fields[entry.id], entry.id .. ": " .. words)
    end
    add_icmp_observables(tree, o, derived, entry)
  end
end

local summary, explain_flow, selected_reset -- what the menus show; below, by whoever judges
local take_preferences, summary_follows
local selected = {} -- the packet whose details are shown
do
  -- Menus and tshark's statistics -----------------------------------------------------------------------------

  local HELP = table.concat({
    "rstorigin: who really sent that TCP reset?",
    "",
    "In Wireshark: Tools > RST origin, and the display filters rstorigin.verdict and rstorigin.flow_verdict.",
    "In tshark, a summary at the end of the file:",
    "  tshark -q -C \"RST origin\" -o rstorigin.summary:TRUE -r FILE",
    "and verdicts that use the whole file (-2 with -Y reads it twice):",
    "  tshark -2 -C \"RST origin\" -r FILE -Y rstorigin.verdict \\",
    "      -T fields -e frame.number -e rstorigin.verdict -e rstorigin.suspicion -e rstorigin.where",
    "Where the plugin is not installed: -X lua_script:rstorigin.lua instead of -C, and -X lua_script1:summary.",
    "",
  }, "\n")

  local ABOUT = "rstorigin, generated from the rulebook default version 1 "
    .. "(100 rules, hash 58eb6248e499)"

  local function filter_by(filter)
    set_filter(filter)
    apply_filter()
  end

  -- Asks for the name of a file, and writes the text into it.
  local function save(words)
    new_dialog("RST origin: save report", function(name)
      local part = name .. ".part" -- so that the file appears whole or not at all
      local file, problem = io.open(part, "wb")
      if file then
        local written, why = file:write(words)
        local closed, why_open = file:close()
        problem = not written and why or not closed and why_open or nil
        if not problem and not os.rename(part, name) then -- Windows renames to no file that is there
          os.remove(name)
          problem = select(2, os.rename(part, name))
        end
        if problem then
          os.remove(part)
        end
      end
      local window = TextWindow.new("RST origin: save report")
      window:set(problem and "Not written: " .. problem .. "\n" or "Written: " .. name .. "\n")
    end, "File to write (text)")
  end

  -- Opens a window with a text, and buttons to copy and save it, and to filter the packet list if there is a `filter`.
  local function show_window(title, words, button, filter)
    local window = TextWindow.new(title)
    window:set(words)
    if filter then
      window:add_button(button, function()
        filter_by(filter)
      end)
    end
    window:add_button("Copy", function()
      copy_to_clipboard(words)
    end)
    window:add_button("Save report", function()
      save(words)
    end)
  end

  local function show_summary()
    local words, filter = summary()
    show_window("RST origin: summary", words, "Show these frames", filter)
  end

  local function explain_selected()
    local words, filter = explain_flow()
    if words then
      show_window("RST origin: explain", words, "Show this flow", filter)
    else
      show_window("RST origin: explain", "Select a packet of a TCP flow that has a reset, and try again.\n",
        "Show flows with a reset", "rstorigin.flow_verdict")
    end
  end

  local function filter_forged()
    filter_by("rstorigin.flow_verdict == \"forged\"")
  end

  local function show_about()
    show_window("RST origin: about", ABOUT .. "\n\n" .. HELP)
  end

  -- A filter for frames, the first ones of very many: a longer filter would take long to apply.
  local function frames_filter(frames)
    local numbers = {}
    for index = 1, math.min(#frames, 1000) do
      numbers[index] = string.format("%d", frames[index])
    end
    return "frame.number in {" .. table.concat(numbers, ", ") .. "}"
  end

  -- What the menus offer for a reset: title, and what to do with it.
  local FOR_A_RESET = {
    { "Explain this reset", function(reset)
      show_window("RST origin: explain", reset.words, "Show this flow", reset.flow)
    end },
    { "Show its flow", function(reset)
      filter_by(reset.flow)
    end },
    { "Show it with its baseline frame", function(reset) -- Lua cannot go to a frame
      filter_by(frames_filter { reset.frame, reset.baseline })
    end },
    { "Copy evidence", function(reset)
      copy_to_clipboard(reset.words)
    end },
    { "Filter all of this sender", function(reset)
      filter_by(frames_filter(reset.of_sender()))
    end },
  }

  local function register_for_resets()
    for _, entry in ipairs(FOR_A_RESET) do
      local title, use = entry[1], entry[2]
      local function act()
        local reset = selected_reset()
        if reset then
          use(reset)
        else
          show_window("RST origin", "Select a reset, and try again.\n", "Show all resets", "rstorigin.kind == \"rst\"")
        end
      end
      if register_packet_menu then -- Wireshark 4.2 and later; shown on packets that have the field, as only resets do
        register_packet_menu("RST origin/" .. title, act, "rstorigin.end_reason")
      end
      register_menu("RST origin/Selected reset/" .. title, act, MENU_TOOLS_UNSORTED)
    end
  end

  if gui_enabled() then
    register_menu("RST origin/Summary", show_summary, MENU_TOOLS_UNSORTED)
    register_menu("RST origin/Explain selected flow", explain_selected, MENU_TOOLS_UNSORTED)
    register_for_resets()
    register_menu("RST origin/Filter forged", filter_forged, MENU_TOOLS_UNSORTED)
    register_menu("RST origin/About", show_about, MENU_TOOLS_UNSORTED)
  end

  local prints_summary = false

  -- Prints the summary when tshark has read the file.
  local function print_summary_at_end()
    if not prints_summary then
      prints_summary = true
      local listener = Listener.new() -- a listener also makes tshark dissect packets that it prints nothing of
      function listener.draw()
        io.stdout:write((summary()))
      end
    end
  end

  -- Handles -X lua_script1:WORD.
  local function take_argument(word)
    if word == "summary" then
      print_summary_at_end()
    elseif word == "help" then
      io.stdout:write(HELP)
    elseif word and word ~= "rstorigin" then -- from 4.4 on, an installed plugin gets its own name
      io.stderr:write("rstorigin: lua_script1 takes summary or help, not \"", (string.gsub(word, "%c", "?")), "\"\n")
    end
  end

  take_argument((...))

  function summary_follows()
    return prints_summary
  end

  function take_preferences()
    SHOWN.info = rstorigin.prefs.info
    if rstorigin.prefs.summary and not gui_enabled() then
      print_summary_at_end()
    end
  end
end

local handed -- verdicts of the batch engine, if `rstorigin open` hands some over
local read_verdicts, verdict_of_frame
do
  -- Verdicts that `rstorigin open` hands over --------------------------------------------------------------------

  -- The file is text, a record a line, its values separated by tabs; the first word of a line says what it holds
  -- (postproc/handover/verdict_file.py writes it). Records of resets and ICMP errors stay in the file until their
  -- frame is shown: a large capture has many.

  local FORMAT = "rstorigin-verdicts\t1"
  local ESCAPES = { ["\\\\"] = "\\", ["\\t"] = "\t", ["\\n"] = "\n" }

  local function values_of(line)
    local values = {}
    for word in string.gmatch(line .. "\t", "([^\t]*)\t") do
      values[#values + 1] = string.find(word, "\\", 1, true) and string.gsub(word, "\\[\\tn]", ESCAPES) or word
    end
    return values
  end

  local function bytes_of(hex)
    return (string.gsub(hex, "%x%x", function(digits)
      return string.char(tonumber(digits, 16))
    end))
  end

  local function flow_line(verdicts, words)
    local flow = {
      first = tonumber(words[2]), last = tonumber(words[3]), verdict = words[4], filter = words[5], frames = {},
    }
    for frame in string.gmatch(words[6], "%d+") do
      flow.frames[#flow.frames + 1] = tonumber(frame)
    end
    for index = 7, 8 do -- the key of each direction
      local key = bytes_of(words[index])
      verdicts.flows[key] = verdicts.flows[key] or {}
      table.insert(verdicts.flows[key], flow)
    end
  end

  local LINES = {
    columns = function(verdicts, words)
      verdicts.columns = words -- those of a record stand one further: after its frame
    end,
    link = function(verdicts, words)
      verdicts.link = words[2]
    end,
    begin = function(verdicts, words)
      verdicts.begin_us = tonumber(words[2])
    end,
    sender = function(verdicts, words)
      verdicts.senders[bytes_of(words[2])] = { address = words[3], baseline = tonumber(words[4]) }
    end,
    flow = flow_line,
    sent_by = function(verdicts, words)
      verdicts.groups[#verdicts.groups + 1] = " " .. words[2] .. " "
    end,
    summary = function(verdicts, words)
      verdicts.summary[#verdicts.summary + 1] = words[2]
    end,
    ["end"] = function(verdicts)
      verdicts.complete = true
    end,
  }

  local function read_all(path)
    local file, problem = io.open(path, "rb")
    if not file then
      return nil, problem
    end
    local verdicts = { file = file, path = path, at = {}, senders = {}, flows = {}, groups = {}, summary = {} }
    local offset = 0
    for line in file:lines() do
      local frame = string.match(line, "^judged\t(%d+)\t")
      if offset == 0 and line ~= FORMAT then
        file:close()
        return nil, "it has another format than this plugin reads"
      elseif frame then
        verdicts.at[tonumber(frame)] = offset
      else
        local take = LINES[string.match(line, "^[%w_]+")]
        if take then
          take(verdicts, values_of(line))
        end
      end
      offset = offset + #line + 1
    end
    if not (verdicts.begin_us and verdicts.columns and verdicts.complete) then
      file:close()
      return nil, "its beginning or its end is missing"
    end
    return verdicts
  end

  -- Reads everything but the records. Returns nil and why if the file cannot be used.
  function read_verdicts(path)
    local sound, verdicts, problem = pcall(read_all, path)
    if not sound then
      return nil, "it is damaged"
    end
    return verdicts, problem
  end

  local READERS = {
    [""] = tostring,
    number = tonumber,
    bool = function(word)
      return word == "true"
    end,
  }

  local function record_of_frame(verdicts, frame)
    verdicts.file:seek("set", verdicts.at[frame])
    local words = values_of(verdicts.file:read("*l"))
    local record = { fired = {} }
    for index = 2, #verdicts.columns do
      local name, kind = string.match(verdicts.columns[index], "^([^:]+):?(.*)$")
      local word = words[index + 1]
      if word ~= "" then
        record[name] = READERS[kind](word)
      end
    end
    for line in verdicts.file:lines() do
      local rule = values_of(line)
      if rule[1] ~= "fired" then
        break
      end
      local was = {}
      for old_id in string.gmatch(rule[4], "[^,]+") do
        was[#was + 1] = old_id
      end
      record.fired[#record.fired + 1] = {
        id = rule[2],
        weight = tonumber(rule[3]) or 0,
        was = was,
        say = function()
          return rule[5]
        end,
      }
    end
    return record
  end

  -- What a record has, whatever the packet is.
  local NEEDED = { "time_us", "score", "kind", "src", "verdict", "origin", "suspicion" }

  -- Texts of a reset, which are empty where the plugin judges itself and finds none.
  local TEXTS = { "where", "reason", "cause", "device", "evidence" }

  -- The record of a frame: its values by column, and the rules that fired. Nil if it is damaged.
  function verdict_of_frame(verdicts, frame)
    local sound, record = pcall(record_of_frame, verdicts, frame)
    for _, name in ipairs(sound and NEEDED or {}) do
      sound = sound and record[name] ~= nil
    end
    if not sound then
      return nil
    end
    for _, name in ipairs(record.kind == "rst" and TEXTS or {}) do
      record[name] = record[name] or ""
    end
    return record
  end

  do
    local path = os.getenv("RSTORIGIN_VERDICTS")
    if path and path ~= "" then
      local problem
      handed, problem = read_verdicts(path)
      if problem then
        io.stderr:write("rstorigin: the verdicts that RSTORIGIN_VERDICTS names cannot be used (", problem,
          "): the plugin judges by itself\n")
      end
    end
  end
end
if handed then
  -- Hop limit, addresses and ports of ordinary packets, from their bytes -----------------------------------------

  -- Where the IP header begins, by link layer; the capture has one link layer, else nothing is shown of these packets.
  local IP_HEADERS = { raw = 0, null = 4, ethernet = 14, cooked = 16, cooked2 = 20 }
  local TAGS = { [0x8100] = true, [0x88A8] = true, [0x9100] = true } -- VLAN (IEEE 802.1Q, 802.1ad)
  local ICMP, TCP, ICMPV6 = 1, 6, 58
  local MOST_BYTES = 96
  local byte, sub = string.byte, string.sub

  local function number_at(bytes, at)
    local high, low = byte(bytes, at + 1, at + 2)
    return low and high * 256 + low
  end

  -- Hop limit, source address, and for TCP the key of the flow (addresses and ports); nil for other packets.
  local function decode_ordinary(tvb, link)
    local bytes = tvb:raw(0, math.min(tvb:len(), MOST_BYTES))
    local at = IP_HEADERS[link]
    while link == "ethernet" and TAGS[number_at(bytes, at - 2) or 0] do
      at = at + 4
    end
    local first = byte(bytes, at + 1)
    if first and first >= 0x45 and first < 0x50 then
      local hop_limit, protocol = byte(bytes, at + 9, at + 10)
      local offset_of_fragment = number_at(bytes, at + 6) or 0
      local tcp_at = at + first % 16 * 4
      if protocol == TCP and offset_of_fragment % 0x2000 == 0 and #bytes >= tcp_at + 4 then
        local key = sub(bytes, at + 13, at + 20) .. sub(bytes, tcp_at + 1, tcp_at + 4)
        return hop_limit, sub(bytes, at + 13, at + 16), key
      elseif protocol == ICMP then
        return hop_limit, sub(bytes, at + 13, at + 16)
      end
    elseif first and first >= 0x60 and first < 0x70 then
      local protocol, hop_limit = byte(bytes, at + 7, at + 8)
      if protocol == TCP and #bytes >= at + 44 then
        return hop_limit, sub(bytes, at + 9, at + 24), sub(bytes, at + 9, at + 44)
      elseif protocol == ICMPV6 then
        return hop_limit, sub(bytes, at + 9, at + 24)
      end
    end
  end

  -- Dissector: looks the frame up ---------------------------------------------------------------------------------

  local TIME_SLACK_S = 0.000002 -- the time of a frame is a floating-point number
  local mismatch = false
  local fields_wanted = false -- whether Wireshark needed our fields when we last asked
  local last_frame = 0
  -- The first frame that shows the usual hop limit of its sender: by key of the flow, and by address as text.
  local compare_with = {}
  local in_window = gui_enabled()
  local own_dissector

  -- Before a file is read, or read again: `rstorigin open` may have judged it again meanwhile.
  function rstorigin.init()
    mismatch, last_frame, compare_with = false, 0, {}
    local again = read_verdicts(handed.path)
    if again then
      handed.file:close()
      handed = again
    end
  end

  -- The verdicts are of another file. Wireshark loads the plugin again, which then finds none, and judges by itself.
  local function give_up(frame)
    mismatch = true
    handed.file:close()
    local judges = in_window and os.remove(handed.path)
    io.stderr:write(string.format(
      "rstorigin: the verdicts handed over are of another file than this one (frame %d has another time)%s\n", frame,
      judges and ": the plugin now judges by itself" or ": leave out RSTORIGIN_VERDICTS"))
    if judges then
      reload_lua_plugins()
    end
  end

  local function is_time(pinfo, time_us)
    return math.abs(pinfo.abs_ts - time_us / 1000000) < TIME_SLACK_S
  end

  local function flow_at(key, frame)
    for _, flow in ipairs(key and handed.flows[key] or {}) do
      if flow.first <= frame and frame <= flow.last then
        return flow
      end
    end
  end

  local function baseline_frame(record, key)
    return key and compare_with[key] or compare_with[record.src]
  end

  local function show_reset(tree, pinfo, record, key)
    add_judgement(tree, pinfo, record, record, baseline_frame(record, key))
    add_text(tree, "state", "final")
  end

  local function show_icmp(tree, pinfo, record)
    local rule = record.fired[1]
    local entry = {
      id = rule and rule.id,
      verdict = record.verdict,
      suspicion = record.suspicion,
      origin = record.origin,
      device = record.device,
      say = function()
        return record.reason or rule and rule.say() or ""
      end,
    }
    add_icmp_judgement(tree, pinfo, record, record, entry, baseline_frame(record))
  end

  local function show_ordinary(tree, number, hop_limit, sender, key, flow)
    add_ordinary(tree, hop_limit, sender and sender.baseline, flow and flow.verdict)
    if sender and hop_limit == sender.baseline then
      for _, of in ipairs { sender.address, key } do
        compare_with[of] = math.min(number, compare_with[of] or number)
      end
    end
  end

  local function show(tree, pinfo, number, record, tvb)
    local hop_limit, src, key
    if handed.link then
      hop_limit, src, key = decode_ordinary(tvb, handed.link)
    end
    if not (record or hop_limit) then
      return
    end
    local subtree = tree:add(rstorigin)
    subtree:set_generated()
    local flow = flow_at(key, number)
    if not record then
      show_ordinary(subtree, number, hop_limit, handed.senders[src], key, flow)
    elseif record.kind == "icmp" then
      show_icmp(subtree, pinfo, record)
    else
      show_reset(subtree, pinfo, record, key)
    end
    if record and flow then
      add_text(subtree, "flow_verdict", flow.verdict)
    end
    if in_window and tree.visible then
      selected.flow, selected.frame, selected.key = flow, number, key
    end
  end

  function rstorigin.dissector(tvb, pinfo, tree)
    if mismatch then
      return
    end
    local number = pinfo.number
    if number == 1 and not is_time(pinfo, handed.begin_us) then
      give_up(number)
      return
    end
    -- The question is slow. Outside the window, the answer is the same for all frames of a pass that reads the file.
    if in_window or number <= last_frame or last_frame == 0 then
      own_dissector = own_dissector or Dissector.get("rstorigin")
      fields_wanted = tree:referenced(own_dissector)
    end
    last_frame = number
    local judged = handed.at[number]
    if not (judged or fields_wanted) then
      return
    end
    local record = judged and verdict_of_frame(handed, number)
    if record and not is_time(pinfo, record.time_us) then
      give_up(number)
      return
    end
    show(tree, pinfo, number, record, tvb)
  end

  function summary()
    return table.concat(handed.summary, "\n") .. "\n",
      'rstorigin.verdict in {"forged", "likely forged"}'
  end

  function explain_flow()
    local flow = selected.flow
    if not flow then
      return nil
    end
    local stories = {}
    for _, frame in ipairs(flow.frames) do
      local record = verdict_of_frame(handed, frame)
      if record then
        stories[#stories + 1] = story_of(frame, record, record, baseline_frame(record))
      end
    end
    return table.concat(stories, "\n\n") .. "\n", flow.filter
  end

  local function frames_of_sender(frame)
    for _, frames in ipairs(handed.groups) do
      if string.find(frames, " " .. frame .. " ", 1, true) then
        local list = {}
        for number in string.gmatch(frames, "%d+") do
          list[#list + 1] = tonumber(number)
        end
        return list
      end
    end
    return { frame }
  end

  function selected_reset()
    local frame, flow = selected.frame, selected.flow
    local record = frame and handed.at[frame] and verdict_of_frame(handed, frame)
    if not record or record.kind ~= "rst" then
      return nil
    end
    local baseline = baseline_frame(record, selected.key)
    return {
      frame = frame,
      baseline = baseline,
      words = story_of(frame, record, record, baseline) .. "\n",
      flow = flow and flow.filter or "frame.number == " .. string.format("%d", frame),
      of_sender = function()
        return frames_of_sender(string.format("%d", frame))
      end,
    }
  end

  rstorigin.prefs_changed = take_preferences

  register_postdissector(rstorigin)
  return
end

local current = {} -- the packet that is dissected; one table for all packets, since a new one costs more than its use
local sides = {} -- of active flows, by the bytes of addresses and ports, source first
local FIN, SYN, RST, ACK, FLAG_SETS, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_ICMPV6, TCP, ICMP_ERROR, SEQUENCES, HALF
local byte, sub, floor, read, value, address, position, initial_hop_limit, distance, seq_diff, elapsed_us, reserved_bits
local in_window, first_us, first_ns, capture_time, destination_mac, source_mac
local open_fields, set_segment, decode_fast, decode_fields, port_bytes, ends_of, source_of
local linux_options, decode_fingerprint, decode_reset, netscaler_meaning
do
  -- Fields of other dissectors ---------------------------------------------------------------------------------

  -- The fields that the plugin reads from other dissectors: header fields only. The plugin does not read what Wireshark
  -- derives under preferences (stream numbers, relative sequence numbers), so settings cannot change a verdict. Every
  -- field that is read slows Wireshark down in every packet that has it. So the plugin reads most of the IPv4 and TCP
  -- headers from their bytes: see "Packet". They are opened when the plugin begins to judge: a field costs even if
  -- nobody reads it.
  local FIELDS = {
    time = "frame.time", -- a preference of Wireshark 4.0 leaves frame.time_epoch out
    eth = "eth",
    ip = "ip",
    ipv6 = "ipv6",
    tcp = "tcp",
    ip_dst = "ip.dst", -- the last hop of a source route, not always the address in the header
    ipv6_src = "ipv6.src",
    ipv6_dst = "ipv6.dst",
    ipv6_hlim = "ipv6.hlim",
    ipv6_flow = "ipv6.flow",
    ipv6_tclass = "ipv6.tclass",
    ipv6_nxt = "ipv6.nxt",
    icmp_type = "icmp.type",
    icmp_code = "icmp.code",
    icmpv6_type = "icmpv6.type",
    icmpv6_code = "icmpv6.code",
    payload_len = "tcp.len",
    reset_cause = "tcp.reset_cause",
    f5_cause = "f5ethtrailer.rstcausetxt",
    udp_sport = "udp.srcport",
    udp_dport = "udp.dstport",
  }

  read = {}

  function open_fields()
    for name, field in pairs(FIELDS) do
      read[name] = Field.new(field)
    end
  end

  -- Headers: read header fields, one value of each -------------------------------------------------------------

  -- TCP flag bits (RFC 9293 section 3.1)
  FIN, SYN, RST, ACK = 1, 2, 4, 16

  -- IP protocol numbers (IANA)
  PROTOCOL_ICMP, PROTOCOL_TCP = 1, 6
  PROTOCOL_ICMPV6 = 58

  -- ICMP error types (RFC 792); in ICMPv6 every type below this one is an error (RFC 4443 section 2.1).
  local ICMP_ERRORS = { [3] = true, [4] = true, [5] = true, [11] = true, [12] = true }
  local ICMPV6_FIRST_INFORMATIONAL = 128

  local TCP_MIN_HEADER, IPV4_HEADER, IPV6_HEADER = 20, 20, 40
  local MAC_LENGTH = 6

  byte, sub, floor = string.byte, string.sub, math.floor
  local min = math.min

  -- The smallest of these that is not below a hop limit counts as the sender's initial hop limit (as in p0f).
  local INITIAL_HOP_LIMITS = { 32, 64, 128, 255 }

  local OTHER = "other"
  TCP, ICMP_ERROR = "tcp", "icmp error"

  -- The four TCP flag bits above CWR: AE and the reserved three.
  function reserved_bits(flags)
    return math.floor(flags / 256)
  end

  function initial_hop_limit(hop_limit)
    for _, initial in ipairs(INITIAL_HOP_LIMITS) do
      if hop_limit <= initial then
        return initial
      end
    end
  end

  function distance(hop_limit)
    return initial_hop_limit(hop_limit) - hop_limit
  end

  -- How many sequence numbers there are, and half of them (RFC 9293 section 3.4)
  SEQUENCES, HALF = 4294967296, 2147483648

  -- How far sequence number `a` lies beyond `b`, signed, across the wrap. Code that runs for every packet uses this
  -- instead of a call: `a` is not before `b` if (a - b) % SEQUENCES < HALF, and lies beyond `b` if (b - a) % SEQUENCES
  -- > HALF.
  function seq_diff(a, b)
    return (a - b + HALF) % SEQUENCES - HALF
  end

  -- Time from one packet to another in microseconds. Limited to the numbers that rules may compute with (12 days), so
  -- that Lua 5.2 is exact: a packet without a time stamp lies decades from the others.
  local MAX_ELAPSED = 1099511627776

  function elapsed_us(later_us, earlier_us)
    local elapsed = later_us - earlier_us
    if elapsed > MAX_ELAPSED then
      return MAX_ELAPSED
    end
    return elapsed < -MAX_ELAPSED and -MAX_ELAPSED or elapsed
  end

  -- The value of a field's `index`-th occurrence, by default the first.
  function value(field, index)
    local info = select(index or 1, field())
    return info and info.value
  end

  -- The bytes of an address: its text would change with name resolution.
  function address(field, index)
    local info = select(index or 1, field())
    return info and (info.range and info.range:raw() or info.value)
  end

  -- Time of the first frame in microseconds, and the nanoseconds beyond. Wireshark gives the seconds since the first
  -- frame exactly, and far cheaper than the field frame.time, which is read once.
  first_us, first_ns = nil, nil

  -- Seconds up to which a floating-point number is exact to the nanosecond (2^22, 48 days).
  local EXACT_SECONDS = 4194304

  in_window = gui_enabled()

  -- Whether that is the capture time of the frame. A frame without a time stamp has none (some versions give it the
  -- time of the first frame), and in the window the user may have set a time reference.
  local function is_time(time_us, pinfo)
    local absolute = pinfo.abs_ts
    local drift = time_us - absolute * 1000000
    return absolute ~= 0 and drift > -2 and drift < 2
  end

  function capture_time(pinfo)
    local since = pinfo.rel_ts
    local exact = since > -EXACT_SECONDS and since < EXACT_SECONDS
    if first_us and exact then
      local rounded = since * 1000000000 + 0.5 -- x - x % 1 is floor(x), at a fifth of its time
      local since_us = (first_ns + (rounded - rounded % 1)) / 1000
      local time_us = first_us + (since_us - since_us % 1)
      if (since ~= 0 and not in_window) or is_time(time_us, pinfo) then
        return time_us
      end
    end
    local time = value(read.time)
    if not time then
      return 0
    end
    if exact then -- a frame decades from the first one would give that a wrong time
      local first = time.nsecs - math.floor(since * 1000000000 + 0.5)
      first_us, first_ns = time.secs * 1000000 + math.floor(first / 1000), first % 1000
    end
    return time.secs * 1000000 + math.floor(time.nsecs / 1000)
  end

  -- The IP packets of the frame that decode_fields reads: data source, offset of the header, and where the packet ends
  -- by its own length.
  local datagrams = {}

  local function add_datagrams(headers, length_at, header_len)
    for _, info in ipairs(headers) do
      local high, low = byte(info.source:raw(info.offset), length_at, length_at + 1)
      if low and high + low > 0 then -- without a length, the packet ends with the frame
        local ends = info.offset + header_len + high * 256 + low
        datagrams[#datagrams + 1] = { source = info.source, offset = info.offset, ends = ends }
      end
    end
  end

  local function read_datagrams()
    datagrams = {}
    add_datagrams({ read.ip() }, 3, 0)
    add_datagrams({ read.ipv6() }, 5, IPV6_HEADER)
  end

  -- The captured bytes from the start of a header, at most `most` of them, from its data source: the frame, or
  -- reassembled data. They end where an IP packet around the header ends, whatever follows in the frame: Wireshark
  -- decodes no field beyond.
  local function bytes_from(info, most)
    local source, offset = info.source, info.offset
    for _, datagram in ipairs(datagrams) do
      if datagram.offset < offset and offset < datagram.ends and datagram.source == source then
        most = min(most, datagram.ends - offset)
      end
    end
    return sub(source:raw(offset), 1, most)
  end

  -- The bytes of a header without options.
  local function header_bytes(info)
    return bytes_from(info, TCP_MIN_HEADER) -- IPv4's is as long
  end

  -- Destination and source MAC together, as in the first bytes of an Ethernet header: the last such header, which in
  -- tunnels is the one nearest to the packet. Nil if there is none.
  local function ethernet_link()
    local headers = { read.eth() }
    local last = headers[#headers]
    local link = last and sub(last.source:raw(last.offset), 1, 2 * MAC_LENGTH)
    return link and #link == 2 * MAC_LENGTH and link or nil
  end

  function destination_mac(link)
    return sub(link, 1, MAC_LENGTH)
  end

  function source_mac(link)
    return sub(link, MAC_LENGTH + 1)
  end

  -- Whether Wireshark decodes an IPv4 header: it calls one of another version, or one that is too short, bogus.
  local function is_ipv4(bytes)
    local first = byte(bytes, 1)
    return first >= 0x45 and first < 0x50
  end

  -- Reads a field from the bytes of a header ("ip", "tcp"). The result is used like a Field: called, it gives one item
  -- for each header that has these bytes.
  local function field_of(header, last, take_value)
    return function()
      local found = {}
      for _, info in ipairs { read[header]() } do
        local bytes = header_bytes(info)
        if #bytes >= last and (header ~= "ip" or is_ipv4(bytes)) then
          found[#found + 1] = { value = take_value(bytes) }
        end
      end
      return table.unpack(found)
    end
  end

  local function number_at(first, last)
    return function(bytes)
      local number = 0
      for index = first, last do
        number = number * 256 + byte(bytes, index)
      end
      return number
    end
  end

  local function ipv4_field(first, last, take_value)
    return field_of("ip", last, take_value or number_at(first, last))
  end

  local function tcp_field(first, last, take_value)
    return field_of("tcp", last, take_value or number_at(first, last))
  end

  read.ip_tos, read.ip_id = ipv4_field(2, 2), ipv4_field(5, 6)
  read.ip_ttl, read.ip_proto = ipv4_field(9, 9), ipv4_field(10, 10)
  read.ip_df = ipv4_field(7, 7, function(bytes)
    return byte(bytes, 7) % 128 >= 64
  end)
  read.ip_src = ipv4_field(13, 16, function(bytes)
    return sub(bytes, 13, 16)
  end)
  read.sport, read.dport, read.seq, read.ack = tcp_field(1, 2), tcp_field(3, 4), tcp_field(5, 8), tcp_field(9, 12)
  read.window = tcp_field(15, 16)
  read.header_len = tcp_field(13, 13, function(bytes)
    return floor(byte(bytes, 13) / 16) * 4
  end)

  -- Before 4.6 Wireshark shows the flags of a TCP header only if the window follows them. It shows none if the header
  -- length is less than the minimum. A segment may end within its header, whatever follows it in the frame.
  do
    local major, minor = string.match(get_version(), "^(%d+)%.(%d+)")
    local needed = 100 * major + minor < 406 and 16 or 14

    function read.flags()
      local found = {}
      for _, info in ipairs { read.tcp() } do
        local bytes = header_bytes(info)
        if min(#bytes, info.len) >= needed and byte(bytes, 13) >= TCP_MIN_HEADER / 4 * 16 then
          found[#found + 1] = { value = number_at(13, 14)(bytes) % 4096 }
        end
      end
      return table.unpack(found)
    end
  end

  -- Index of the first header that carries `protocol`.
  function position(field, protocol)
    for index, info in ipairs { field() } do
      if info.value == protocol then
        return index
      end
    end
  end

  -- Tunnels and ICMP errors hold several IP headers. This finds the one that carries TCP or the ICMP error, or else the
  -- innermost. Returns the index among the IPv4 headers, or nil and the index among the IPv6 headers.
  local function carrying_header(ipv4_headers, ipv6_headers, icmp_type, icmp_error)
    local ipv4, ipv6
    if icmp_error and icmp_type then
      ipv4 = position(read.ip_proto, PROTOCOL_ICMP)
    elseif icmp_error then
      ipv6 = position(read.ipv6_nxt, PROTOCOL_ICMPV6) or 1
    elseif value(read.sport) then
      ipv4 = position(read.ip_proto, PROTOCOL_TCP)
      ipv6 = position(read.ipv6_nxt, PROTOCOL_TCP)
    end
    if ipv4 then
      return ipv4
    end
    ipv6 = ipv6 or (ipv6_headers > 0 and ipv6_headers or nil)
    if ipv6 then
      return nil, ipv6
    end
    return ipv4_headers
  end

  local timestamp
  -- TCP options -----------------------------------------------------------------------------------------------

  -- Options of one byte (RFC 9293 section 3.1), of which Wireshark stops at the first, and timestamps (RFC 7323)
  local OPTIONS_END, FILLER, TIMESTAMPS, TIMESTAMPS_LENGTH = 0, 1, 8, 10

  -- Calls `use` for every option in the bytes of a TCP header, from `at` to `ends`: with its kind, its length, the
  -- bytes and its position in them.
  local function each_option(bytes, at, ends, use)
    while at <= ends do
      local kind, length = byte(bytes, at, at + 1)
      if kind == OPTIONS_END or kind == FILLER then
        length = 1
      elseif not length or length < 2 or at + length - 1 > ends then
        break
      end
      use(kind, length, bytes, at)
      at = kind == OPTIONS_END and ends + 1 or at + length
    end
  end

  -- The same for every option of `current` that Wireshark decodes: those within their header and their segment.
  local function each_decoded_option(use)
    if current.bytes then
      local at = current.at + current.ip_len
      return each_option(current.bytes, at + TCP_MIN_HEADER + 1, at + current.header_len, use)
    end
    for _, info in ipairs { read.tcp() } do
      local bytes = bytes_from(info, info.len) -- of the segment, or of the header where Wireshark builds a whole tree
      each_option(bytes, TCP_MIN_HEADER + 1, floor((byte(bytes, 13) or 0) / 16) * 4, use)
    end
  end

  function timestamp()
    local found
    each_decoded_option(function(kind, length, bytes, at)
      if kind == TIMESTAMPS and length == TIMESTAMPS_LENGTH and #bytes >= at + 5 then
        found = found or number_at(at + 2, at + 5)(bytes)
      end
    end)
    return found
  end

  -- The kinds of the TCP options of a Linux SYN, in its order, with timestamps and without: a byte each.
  local LINUX_OPTIONS = { [0x0204080103] = true, [0x020101040103] = true }

  function linux_options()
    local kinds = 0
    each_decoded_option(function(kind)
      kinds = kinds * 256 + kind
    end)
    return LINUX_OPTIONS[kinds] or false
  end

  -- Fast path: decode the usual packet from its bytes -----------------------------------------------------------

  -- Sets of TCP flags, by the flags field: few combinations occur. SYN and FIN each take a sequence number.
  FLAG_SETS = setmetatable({}, {
    __index = function(known, flags)
      local fin, syn = flags % (2 * FIN) >= FIN, flags % (2 * SYN) >= SYN
      local meaning = {
        flags = flags,
        fin = fin,
        syn = syn,
        length = (fin and 1 or 0) + (syn and 1 or 0),
        reset = flags % (2 * RST) >= RST,
        acknowledges = flags % (2 * ACK) >= ACK,
      }
      known[flags] = meaning
      return meaning
    end,
  })

  -- Makes `current` a segment with these values. `key` is the bytes of its addresses and ports.
  function set_segment(key, hop_limit, link, flag_set, seq, ack, payload_len, window, ip_id, tsval)
    current.kind, current.key, current.flag_set, current.flags = TCP, key, flag_set, flag_set.flags
    current.reset, current.acknowledges = flag_set.reset, flag_set.acknowledges
    current.hop_limit, current.link, current.ip_id, current.tsval = hop_limit, link, ip_id, tsval
    current.seq, current.ack, current.payload_len, current.window = seq, ack, payload_len, window
    current.icmp = false
  end

  -- Offsets of the IP header in usual frames: raw IP, loopback, Ethernet, Linux cooked, VLAN, Linux cooked 2. Link
  -- layers with a length field of their own (PPPoE, LLC) have it elsewhere.
  local AFTER_ETHERNET = 14
  local IP_OFFSETS = { [0] = true, [4] = true, [14] = true, [16] = true, [18] = true, [20] = true }
  local MOST_BYTES = 20 + IPV6_HEADER + 60 -- of the longest TCP header

  -- Formats for Struct, of both headers without options: of the IP header the first byte, length, identification,
  -- fragment, hop limit and protocol; then addresses and ports as bytes (`key`), sequence number, acknowledgement
  -- number, header length with flags, window.
  local IPV4_TCP, IPV6_TCP = ">BxHHHBBxxc12I4I4HH", ">BxxxHBBc36I4I4HH"
  -- The same and the first two words of the TCP options. TIMESTAMPS_FIRST is the first word of timestamps in their
  -- usual place.
  local MORE, MORE_LENGTH, TIMESTAMPS_FIRST, TIMESTAMPS_ROOM = "xxxxI4I4", 8, 0x0101080A, 12
  local IPV4_TCP_MORE, IPV6_TCP_MORE = IPV4_TCP .. MORE, IPV6_TCP .. MORE

  -- Local names: tvb:len() and tvb:raw() would look up the method in its class for every packet.
  local captured_len, raw_bytes, unpack_bytes = Tvb.len, Tvb.raw, Struct.unpack

  -- Offset of the only IP header of the frame, and its length without options, from Wireshark's fields.
  local function ip_header()
    local header, another = read.ip()
    local length = IPV4_HEADER
    if not header then
      header, another = read.ipv6()
      length = IPV6_HEADER
    end
    if header and not another then
      return header.offset, length
    end
  end

  -- The same from the Ethernet type.
  local function after_ethernet(bytes)
    local high, low = byte(bytes, AFTER_ETHERNET - 1, AFTER_ETHERNET)
    if high == 0x08 and low == 0 then
      return AFTER_ETHERNET, IPV4_HEADER
    elseif high == 0x86 and low == 0xDD then
      return AFTER_ETHERNET, IPV6_HEADER
    end
  end

  -- Decodes the usual frame from its bytes: one IP header without options, and right after it a whole TCP header.
  -- Returns the arguments of set_segment; nil if anything is unusual, so that decode_fields has to read the fields.
  -- Reading twenty fields takes several times as long, and even one takes long: none is read if Ethernet carries an
  -- active flow.
  function decode_fast(tvb, pinfo)
    local captured = captured_len(tvb)
    local bytes = raw_bytes(tvb, 0, captured < MOST_BYTES and captured or MOST_BYTES)
    local at, ip_len = after_ethernet(bytes)
    local ethernet = at
    if not at then
      at, ip_len = ip_header()
    end
    if not IP_OFFSETS[at] then
      return nil
    end
    local tcp_at = at + ip_len
    if #bytes < tcp_at + TCP_MIN_HEADER then
      return nil
    end
    local more = #bytes >= tcp_at + TCP_MIN_HEADER + MORE_LENGTH
    local first, total, ip_id, fragment, hop_limit, protocol, key, seq, ack, words, window, option, tsval
    if ip_len == IPV4_HEADER then
      first, total, ip_id, fragment, hop_limit, protocol, key, seq, ack, words, window, option, tsval =
        unpack_bytes(more and IPV4_TCP_MORE or IPV4_TCP, bytes, at + 1)
      if first ~= 0x45 or fragment % 0x4000 ~= 0 then -- the flag "don't fragment" may be set
        return nil
      end
    else
      first, total, protocol, hop_limit, key, seq, ack, words, window, option, tsval =
        unpack_bytes(more and IPV6_TCP_MORE or IPV6_TCP, bytes, at + 1)
      if first < 0x60 or first >= 0x70 then -- Wireshark decodes no other version
        return nil
      end
      total = total + ip_len
    end
    local header_len = (words - words % 0x1000) / 0x400
    local payload_len = total - ip_len - header_len
    if protocol ~= PROTOCOL_TCP or header_len < TCP_MIN_HEADER or #bytes < tcp_at + header_len or payload_len < 0 then
      return nil
    elseif at + total > captured and at + total > pinfo.len then
      return nil
    elseif ethernet and not sides[key] and ip_header() ~= at then
      return nil
    end
    current.bytes, current.at, current.ip_len, current.header_len = bytes, at, ip_len, header_len
    if header_len == TCP_MIN_HEADER then
      tsval = nil
    elseif option ~= TIMESTAMPS_FIRST or header_len < TCP_MIN_HEADER + TIMESTAMPS_ROOM then
      tsval = timestamp()
    end
    local link = at == AFTER_ETHERNET and sub(bytes, 1, 2 * MAC_LENGTH) or ethernet_link()
    return key, hop_limit, link, FLAG_SETS[words % 0x1000], seq, ack, payload_len, window, ip_id, tsval
  end

  function port_bytes(port)
    return string.char(math.floor(port / 256), port % 256)
  end

  -- Decodes any frame from Wireshark's fields into `current`. False if there is no whole IP header.
  function decode_fields()
    read_datagrams()
    local ipv4_headers, ipv6_headers = select("#", read.ip_ttl()), select("#", read.ipv6_hlim())
    if ipv4_headers + ipv6_headers == 0 then
      return false
    end
    local icmp_type, icmpv6_type = value(read.icmp_type), value(read.icmpv6_type)
    local icmpv6_error = icmpv6_type and icmpv6_type < ICMPV6_FIRST_INFORMATIONAL
    local icmp_error = ICMP_ERRORS[icmp_type or -1] or icmpv6_error or false
    local ipv4, ipv6
    if ipv4_headers + ipv6_headers > 1 then
      ipv4, ipv6 = carrying_header(ipv4_headers, ipv6_headers, icmp_type, icmp_error)
    elseif ipv4_headers == 1 then
      ipv4 = 1
    else
      ipv6 = 1
    end
    local hop_limit = ipv4 and value(read.ip_ttl, ipv4) or ipv6 and value(read.ipv6_hlim, ipv6)
    current.bytes, current.kind, current.key, current.reset = nil, OTHER, nil, false
    current.icmp = (icmp_type or icmpv6_type) ~= nil
    current.ipv4, current.ipv6 = ipv4, ipv6
    current.hop_limit, current.link = hop_limit, ethernet_link()
    current.src = ipv4 and address(read.ip_src, ipv4) or ipv6 and address(read.ipv6_src, ipv6)
    current.dst = ipv4 and address(read.ip_dst, ipv4) or ipv6 and address(read.ipv6_dst, ipv6)
    if not (current.src and current.dst and hop_limit) then
      return false
    end
    if icmp_error then
      current.kind = ICMP_ERROR
      return true
    end
    local flags, seq, sport, dport = value(read.flags), value(read.seq), value(read.sport), value(read.dport)
    if flags and seq and sport and dport then
      local key = current.src .. current.dst .. port_bytes(sport) .. port_bytes(dport)
      local ack, window, payload_len = value(read.ack) or 0, value(read.window) or 0, value(read.payload_len) or 0
      local ip_id = ipv4 and value(read.ip_id, ipv4)
      local tsval = timestamp()
      set_segment(key, hop_limit, current.link, FLAG_SETS[flags], seq, ack, payload_len, window, ip_id, tsval)
    end
    return true
  end

  -- Source, source port, target and target port from the bytes of addresses and ports.
  function ends_of(key)
    local width = (#key - 4) / 2
    local s1, s2, d1, d2 = byte(key, -4, -1)
    return sub(key, 1, width), s1 * 256 + s2, sub(key, width + 1, 2 * width), d1 * 256 + d2
  end

  -- The source address alone.
  function source_of(key)
    return sub(key, 1, (#key - 4) / 2)
  end

  local has_diagnostic_magic, diagnosis, stated_cause
  -- What the sender of a reset says itself -------------------------------------------------------------------------

  -- The reasons of diagnostic payloads.
  local REASONS = {
    [1] = "illegal option",
    [2] = "desynchronized state",
    [3] = "new data after the application had closed",
    [4] = "abort by the application",
    [5] = "unexpected acknowledgement during the handshake",
    [6] = "unexpected SYN inside the window",
    [7] = "unexpected security level",
    [8] = "malformed message",
    [9] = "not authorized",
    [10] = "no resources left",
    [11] = "network failure",
    [12] = "reset received from the other side",
    [13] = "destination unreachable",
    [14] = "connection timed out",
    [15] = "too much outstanding data",
    [16] = "performance not acceptable",
    [17] = "interference of a middlebox",
  }

  -- The printable beginning of a text, as far as it is kept.
  local function printable(text)
    local found = string.match(string.sub(string.match(text, "^[ -~]*"), 1, 100), "^ *(.-) *$")
    return found ~= "" and found or nil
  end

  local function unsigned(payload, first, last)
    local number = 0
    for at = first, last do
      number = number * 256 + byte(payload, at)
    end
    return number
  end

  -- The major type and value of the CBOR item after the first `at` bytes, and where it ends. Type -1: none that stands
  -- in a diagnosis.
  local function head(payload, at)
    if at >= #payload then
      return -1, 0, at
    end
    local first = byte(payload, at + 1)
    local major, number = floor(first / 32), first % 32
    local size = ({ [24] = 1, [25] = 2, [26] = 4 })[number] or 0
    if number > 26 or at + 1 + size > #payload then
      return -1, 0, at
    end
    return major, size > 0 and unsigned(payload, at + 2, at + 1 + size) or number, at + 1 + size
  end

  local function from_cbor(payload, at)
    local major, pairs_left, found, description, kind, key, number
    major, pairs_left, at = head(payload, at)
    if major ~= 5 then
      return nil
    end
    found = {}
    for _ = 1, min(pairs_left, 3) do
      major, key, at = head(payload, at)
      kind, number, at = head(payload, at)
      if major ~= 0 or (kind ~= 0 and kind ~= 3) then
        return nil
      elseif kind == 3 then
        description, at = sub(payload, at + 1, at + number), at + number
      else
        found[key] = number
      end
    end
    local reason, enterprise = found[1], found[2] or 0
    local says = reason or (description or "") ~= ""
    if at > #payload or not says or (reason or 0) >= 65536 or enterprise >= 4294967296 then
      return nil
    end
    return { reason = reason, enterprise = enterprise, description = description }
  end

  function has_diagnostic_magic(payload)
    local magic = "3\170"
    return sub(payload, 1, #magic) == magic
  end

  -- What a reset's payload says if it is a whole diagnostic payload.
  function diagnosis(payload)
    if #payload == 8 and has_diagnostic_magic(payload) then
      return { reason = unsigned(payload, 3, 4), enterprise = unsigned(payload, 5, 8) }
    elseif #payload >= 3 and unsigned(payload, 1, 3) == 1650745 then
      return from_cbor(payload, 3)
    end
  end

  -- Why the sender says that it reset the connection. `text` is its payload where that is an F5 BIG-IP's, `trailer` the
  -- cause in the Ethernet trailer, or "".
  function stated_cause(text, trailer, said)
    if trailer ~= "" then
      return printable(trailer)
    elseif text then
      return printable(string.match(text, "%] (.*)$") or "")
    elseif not said then
      return nil
    elseif not said.reason then
      return printable(said.description)
    elseif said.enterprise > 0 then
      return string.format("reason %d of enterprise %.0f", said.reason, said.enterprise)
    end
    local words = REASONS[said.reason]
    return string.format("reason %d", said.reason) .. (words and ", " .. words or "")
  end

  -- Fingerprint: header fields that are read only from resets and SYNs ---------------------------------------------

  function decode_fingerprint()
    local bytes, at, ipv4, ipv6 = current.bytes, current.at, current.ipv4, current.ipv6
    current.df, current.flow_label = nil, nil
    if bytes and current.ip_len == IPV4_HEADER then
      current.tos, current.df = byte(bytes, at + 2), byte(bytes, at + 7) % 128 >= 64
    elseif bytes then
      local b1, b2, b3, b4 = byte(bytes, at + 1, at + 4)
      current.tos = b1 % 16 * 16 + math.floor(b2 / 16)
      current.flow_label = (b2 % 16 * 256 + b3) * 256 + b4
    elseif ipv4 then
      current.df = value(read.ip_df, ipv4)
      current.tos = value(read.ip_tos, ipv4)
    else
      current.flow_label = value(read.ipv6_flow, ipv6)
      current.tos = value(read.ipv6_tclass, ipv6)
    end
  end

  -- The text without escape sequences, as postproc reads it from tshark: that escapes control characters, and in some
  -- versions backslashes.
  local CONTROLS = { a = "\a", b = "\b", t = "\t", n = "\n", v = "\v", f = "\f", r = "\r" }

  local function unescaped(text)
    local before
    repeat
      before = text
      text = string.gsub(before, "\\(.)(%x?%x?)", function(letter, digits)
        if letter == "x" and #digits == 2 then
          return string.char(tonumber(digits, 16))
        end
        local octal = string.match(letter .. digits, "^[0-7][0-7][0-7]$")
        return octal and string.char(tonumber(octal, 8) % 256) or (CONTROLS[letter] or letter) .. digits
      end)
    until text == before
    return text
  end

  -- The text that some bytes begin with, as Wireshark shows it: up to the first NUL.
  local function text_of(bytes)
    return unescaped(string.match(bytes, "^[^\0]*"))
  end

  -- The kind of a reset's payload, by its bytes and the text that it begins with.
  local function payload_kind(payload, cause)
    if current.payload_len == 0 then
      return "none"
    end
    local function begins(prefix)
      return string.sub(cause, 1, #prefix) == prefix
    end
    if begins("BIG-IP: [0x") then
      return "bigip"
    elseif cause == "\001\002\003\004\005\006\007\008\009" and current.payload_len == 10 then
      return "henan"
    elseif begins("\02509")
      or (current.payload_len == 8 and has_diagnostic_magic(payload)) then
      return "diagnostic"
    end
    return string.match(cause, "^[\a-\r -~]+$") and "text" or "binary"
  end

  -- Meanings of the window in resets of a NetScaler: first and last value, meaning.
  local NETSCALER_CODES = {
    { 8196, 8196, "bad SSL record" },
    { 8201, 8201, "packet for a connection that it had already closed or forgotten" },
    { 8202, 8202, "data without a connection, SYN cookie expired" },
    { 8204, 8204, "client repeated its SYN with another sequence number" },
    { 8205, 8205, "wrong acknowledgement in the handshake" },
    { 8206, 8206, "unexpected packet while waiting for a SYN-ACK" },
    { 8207, 8207, "SYN on an established connection" },
    { 8208, 8208, "too many retransmissions" },
    { 8209, 8209, "out of memory" },
    { 8210, 8210, "bad client request, HTTP DoS protection" },
    { 8211, 8211, "idle timeout" },
    { 8212, 8212, "stray SYN: nothing listens, or SYN cookie wrong" },
    { 8213, 8213, "POST on a connection that is closing" },
    { 8214, 8214, "segment size too large for the network card" },
    { 9100, 9100, "unfinished HTTP request timed out" },
    { 9201, 9201, "server answered an earlier HTTP request" },
    { 9202, 9202, "sequence mismatch on a reused server connection" },
    { 9203, 9203, "server closed a reused connection" },
    { 9205, 9205, "HTTP chunks of the server's response are wrong" },
    { 9206, 9206, "invalid HTTP header" },
    { 9207, 9207, "HTTP header cannot be reassembled" },
    { 9208, 9208, "incomplete HTTP response" },
    { 9209, 9209, "HTTP chunks cannot be followed" },
    { 9210, 9210, "corrupt packets" },
    { 9212, 9212, "invalid HTTP request" },
    { 9214, 9214, "cache cannot store the response" },
    { 9216, 9216, "out of memory in the cache" },
    { 9217, 9217, "HTTP body longer than announced" },
    { 9218, 9218, "data that belong to no request" },
    { 9219, 9219, "out of packet buffers" },
    { 9220, 9220, "out of packet buffers" },
    { 9221, 9221, "shortened URL no longer valid" },
    { 9222, 9222, "HTTP response breaks the RFC (length and encoding)" },
    { 9300, 9303, "idle timeout" },
    { 9304, 9304, "window stayed closed, gave up probing" },
    { 9305, 9305, "server's handshake acknowledgement is wrong" },
    { 9306, 9306, "duplicate TCP buffering undone" },
    { 9307, 9309, "small-window protection" },
    { 9310, 9310, "keep-alive unanswered" },
    { 9311, 9311, "session lookup retries failed" },
    { 9400, 9400, "reused server connection dropped to open others" },
    { 9401, 9401, "connections flushed: capacity reached, or configuration removed" },
    { 9450, 9460, "database (SQL) session failed" },
    { 9600, 9601, "too many packets with wrong sequence or acknowledgement" },
    { 9602, 9602, "SSL VPN probe limit exceeded" },
    { 9700, 9700, "passes on a reset of the server or client" },
    { 9701, 9701, "passes on a reset with ACK of the server or client" },
    { 9702, 9702, "data after FIN" },
    { 9704, 9704, "packet dropped: hold limit, or transaction error" },
    { 9800, 9800, "monitoring probe timed out" },
    { 9810, 9810, "response matched a configured status code" },
    { 9811, 9811, "SSL handshake failed (fatal alert sent)" },
    { 9812, 9812, "address removed from the configuration" },
    { 9813, 9813, "session failover connection closed" },
    { 9814, 9814, "a policy with action RESET matched" },
    { 9816, 9816, "bad SSL record" },
    { 9817, 9817, "SSL certificate being changed" },
    { 9818, 9818, "bad SSL header" },
    { 9819, 9819, "out of memory for SSL" },
    { 9820, 9820, "SSL card failed" },
    { 9821, 9821, "SSL is switched off" },
    { 9822, 9822, "SSL ciphers changed" },
    { 9823, 9823, "malformed VPN cookie or login" },
    { 9824, 9824, "AAA connection without an owner" },
    { 9825, 9825, "GSLB sites of different versions" },
    { 9826, 9826, "out of network buffers" },
    { 9827, 9827, "SSL configuration changed" },
    { 9829, 9829, "other GSLB site down" },
    { 9830, 9830, "an ACL denies the session" },
    { 9831, 9831, "application data missing" },
    { 9832, 9832, "application error" },
    { 9833, 9833, "fatal SSL error" },
    { 9834, 9834, "SSL connections flushed at hardware start" },
    { 9835, 9835, "DTLS record too large" },
    { 9836, 9836, "DTLS record empty" },
    { 9837, 9837, "SSLv2 record too large" },
    { 9838, 9838, "SSL record not found" },
    { 9839, 9839, "SSL hold limit reached" },
    { 9841, 9841, "SSL packet cannot be split" },
    { 9842, 9842, "out of packet buffers for SSL" },
    { 9843, 9843, "monitor's probe" },
    { 9844, 9844, "SSL renegotiation limit reached" },
    { 9845, 9845, "application firewall policy" },
    { 9846, 9847, "delta compression failed" },
    { 9848, 9848, "accepted while the SSL configuration changed" },
    { 9849, 9849, "GSLB configuration conflict" },
    { 9850, 9851, "DNS over TCP failed" },
    { 9852, 9852, "RTSP session failed" },
    { 9853, 9853, "database login failed" },
    { 9854, 9854, "GSLB sites connected by a roundabout way" },
    { 9855, 9855, "surge queue full" },
    { 9856, 9856, "application firewall failed" },
    { 9857, 9857, "waiting HTTP connections flushed" },
    { 9858, 9858, "HTTP chunking stopped" },
    { 9859, 9859, "server defers new connections" },
    { 9860, 9860, "linked connection was cleaned up" },
    { 9861, 9861, "push is switched off" },
    { 9862, 9862, "duplicate server connection" },
    { 9863, 9863, "replaced by a new connection" },
    { 9864, 9865, "clientless VPN error" },
    { 9866, 9866, "URL transformation failed" },
    { 9868, 9870, "database login failed" },
    { 9871, 9871, "out of memory for the database session" },
    { 9872, 9872, "WebSocket is switched off" },
    { 9873, 9873, "multiplexing failed" },
    { 9874, 9874, "hold limit reached" },
    { 9875, 9875, "the client's connection is closed" },
    { 9876, 9876, "link to several connections failed" },
    { 9877, 9878, "Diameter capabilities exchange failed" },
    { 9879, 9879, "parsing failed" },
    { 9880, 9880, "out of memory" },
    { 9881, 9881, "Diameter message before the capabilities exchange" },
    { 9882, 9882, "no pending requests" },
    { 9883, 9884, "Diameter link failed" },
    { 9885, 9885, "SIP content header missing, or Diameter acknowledgement wrong" },
    { 9886, 9886, "VPN next-generation binding missing" },
    { 9887, 9887, "VPN broker cannot be reached" },
    { 9888, 9888, "cluster synchronises" },
    { 9889, 9889, "script context missing" },
    { 9890, 9890, "response rewriting is switched off" },
    { 9900, 9900, "policy infrastructure" },
    { 9901, 9901, "cached data too large" },
    { 9902, 9902, "HTML injection stopped" },
    { 9903, 9903, "GSLB is switched off" },
    { 9904, 9904, "AAA error" },
    { 9905, 9905, "database does not respond" },
    { 9906, 9906, "local GSLB site removed" },
    { 9911, 9912, "out of memory for HTTP" },
    { 9913, 9913, "SPDY error" },
    { 9914, 9914, "cache or AAA error" },
    { 9915, 9915, "SPDY header split" },
    { 9951, 9951, "incomplete SSL record" },
    { 9952, 9952, "fatal SSL alert received" },
    { 9953, 9953, "timeout action" },
    { 9956, 9956, "POST not handled, quality of service" },
    { 9957, 9957, "persistent service is down" },
    { 9960, 9969, "Multipath TCP error" },
    { 9970, 9970, "bandwidth limit closed the connection" },
    { 9971, 9973, "Multipath TCP error" },
    { 9974, 9974, "reset ended at the TCP layer" },
    { 9975, 9975, "waiting queue full" },
    { 9976, 9980, "Multipath TCP error" },
    { 9981, 9981, "audit log connection closed" },
    { 9982, 9982, "Fast Open answer invalid" },
    { 9983, 9983, "Multipath TCP error" },
    { 10000, 10004, "ICA (Citrix desktop) session error" },
    { 10005, 10005, "Multipath TCP error" },
    { 10006, 10006, "RDP connection ended" },
    { 10016, 10026, "SMPP session error" },
    { 10027, 10028, "SSL hardware module failed" },
    { 10029, 10029, "SSL rate limit reached" },
    { 10030, 10030, "packet credits exceeded" },
    { 10032, 10042, "SIP gateway error" },
  }

  function netscaler_meaning(window)
    for _, code in ipairs(NETSCALER_CODES) do
      if window >= code[1] and window <= code[2] then
        return code[3]
      end
    end
  end

  -- The same for resets, and fields that are read only from them.
  function decode_reset()
    decode_fingerprint()
    local header_len = current.bytes and current.header_len or value(read.header_len)
    current.options_len = (header_len or TCP_MIN_HEADER) - TCP_MIN_HEADER
    local info, trailer = read.reset_cause(), read.f5_cause()
    local payload = info and info.range:raw() or ""
    local text, cause = text_of(payload), trailer and trailer.len > 0 and text_of(trailer.range:raw()) or ""
    current.payload_kind, current.f5_trailer = payload_kind(payload, text), cause ~= ""
    local kind = current.payload_kind
    local said = kind == "diagnostic" and diagnosis(payload) or nil
    current.stated_reason, current.stated_enterprise = said and said.reason, said and said.enterprise
    current.stated_cause = stated_cause(kind == "bigip" and text, cause, said)
  end
end

local begin_us = 0 -- capture time of the first packet; packed times count from it
local record_of, pack, unpack_into
do
  -- Packed records: tables as strings ---------------------------------------------------------------------------

  -- A Lua table takes some 40 bytes for every named value, so a table that is not in use is packed into one string: the
  -- number of its shape, and then the values. The shape says which values there are, and how wide each is.

  local pack_values, unpack_values = Struct.pack, Struct.unpack

  -- Widths in the notation of Struct, and the numbers that fit. Other numbers are packed as floating-point numbers.
  local WIDTHS = {
    B = { 0, 255 },
    H = { 0, 65535 },
    I3 = { 0, 16777215 },
    I4 = { 0, 4294967295 },
    I5 = { 0, 1099511627775 },
    i4 = { -2147483648, 2147483647 },
  }

  -- The part of a shape for one value: none, yes and no (which take no bytes), numbers narrow and wide, text short and
  -- long.
  local NONE, YES, NO, NARROW, WIDE, SHORT, LONG = 1, 2, 3, 4, 5, 6, 7
  local FORMATS = { [NONE] = "", [YES] = "", [NO] = "", [WIDE] = "d", [SHORT] = "Bc0", [LONG] = "I4c0" }
  local SHORT_LENGTH = 255

  local shapes = {} -- by number: { the part for each value, format of the values }

  -- The fields of a record, from lines of a width and names. The width "time" is for capture times, "other" for text
  -- and booleans, and a width in parentheses for the items of a list. `shapes` is the root of a tree: each step down is
  -- the part for the next value, and each leaf is a shape.
  function record_of(lines)
    local fields = { shapes = { depth = 0 } }
    for _, line in ipairs(lines) do
      local width, names = string.match(line, "^(%S+) (.*)$")
      local items = string.match(width, "^%((.*)%)$")
      local range = WIDTHS[width == "time" and "I5" or width] or {}
      for of_value in string.gmatch(names, "%S+") do
        fields[#fields + 1] = {
          name = of_value,
          width = width == "time" and "I5" or width,
          time = width == "time",
          least = range[1],
          most = range[2],
          items = items and "<" .. items,
          period = items and Struct.values(items),
          size = items and Struct.size("<" .. items),
        }
      end
    end
    return fields
  end

  -- Adds a step to the tree. The step after the last value is a new shape.
  local function add_step(fields, before, part)
    local step = { before = before, part = part, depth = before.depth + 1 }
    before[part] = step
    if step.depth < #fields then
      return step
    end
    local parts, format, back = {}, {}, step
    for index = #fields, 1, -1 do
      parts[index], format[index] = back.part, FORMATS[back.part] or fields[index].width
      back = back.before
    end
    step.number, step.format = #shapes + 1, "<I3" .. table.concat(format)
    shapes[step.number] = { parts, step.format }
    return step
  end

  local function pack_list(field, list)
    return pack_values(string.rep(field.items, #list / field.period), table.unpack(list))
  end

  local function unpack_list(field, packed)
    local list = { unpack_values(string.rep(field.items, #packed / field.size), packed) }
    list[#list] = nil -- the position after the last item
    return list
  end

  local values = {} -- one table for every call

  -- The values of `record` under the names of `fields`, as a string.
  function pack(fields, record)
    local step, number = fields.shapes, 0
    for index = 1, #fields do
      local field = fields[index]
      local found, least, part = record[field.name], field.least, NONE
      if found and least then
        if field.time then
          found = found - begin_us
        end
        number = number + 1
        values[number] = found
        part = found >= least and found <= field.most and NARROW or WIDE
      elseif found == true then
        part = YES
      elseif found == false then
        part = NO
      elseif found and (not field.items or found[1]) then
        found = field.items and pack_list(field, found) or found
        values[number + 1], values[number + 2] = #found, found
        number = number + 2
        part = #found <= SHORT_LENGTH and SHORT or LONG
      end
      step = step[part] or add_step(fields, step, part)
    end
    return pack_values(step.format, step.number, table.unpack(values, 1, number))
  end

  -- Reads the string from `at` on into `record`, under the names of `fields`. Returns the position after it.
  function unpack_into(record, fields, packed, at)
    local shape = shapes[unpack_values("<I3", packed, at)]
    local parts, unpacked = shape[1], { unpack_values(shape[2], packed, at) }
    local number = 1
    for index = 1, #fields do
      local part = parts[index]
      if part == YES or part == NO then
        record[fields[index].name] = part == YES
      elseif part ~= NONE then
        local field = fields[index]
        number = number + 1
        local found = unpacked[number]
        if field.time then
          found = found + begin_us
        elseif field.items then
          found = unpack_list(field, found)
        end
        record[field.name] = found
      end
    end
    return unpacked[number + 1]
  end
end

-- Host profiles: the packets of each address over the whole capture -------------------------------------------

-- A tally counts packets by hop limit, in the order of the capture, three numbers each: hop limit, count, first
-- frame.
local function add_to_tally(tally, hop_limit, frame)
  local at = 1
  while tally[at] and tally[at] ~= hop_limit do
    at = at + 3
  end
  if tally[at] then
    tally[at + 1] = tally[at + 1] + 1
  else
    tally[at], tally[at + 1], tally[at + 2] = hop_limit, 1, frame
  end
end

-- How many packets of a tally have this hop limit.
local function tally_count(tally, hop_limit)
  for at = 1, #tally, 3 do
    if tally[at] == hop_limit then
      return tally[at + 1]
    end
  end
  return 0
end

-- How many packets a tally counts.
local function tally_total(tally)
  local packets = 0
  for at = 2, #tally, 3 do
    packets = packets + tally[at]
  end
  return packets
end

-- The hop limits that a tally counts.
local function tally_values(tally)
  local values = {}
  for at = 1, #tally, 3 do
    values[#values + 1] = tally[at]
  end
  return values
end

-- The hop limit with the highest count, and the first frame that has it. Among equals the first in the capture; nil
-- for an empty tally.
local function most_frequent(tally)
  local best, most, frame = nil, 0, nil
  for at = 1, #tally, 3 do
    if tally[at + 1] > most then
      best, most, frame = tally[at], tally[at + 1], tally[at + 2]
    end
  end
  return best, frame
end

local function new_set()
  return { size = 0, has = {} }
end

local function include(set, key)
  if not set.has[key] then
    set.has[key] = true
    set.size = set.size + 1
  end
end

-- The difference between `wanted` and the nearest value; nil if there are no values.
local function nearest(wanted, values)
  local gap
  for _, other in ipairs(values) do
    local difference = math.abs(wanted - other)
    gap = gap and math.min(gap, difference) or difference
  end
  return gap
end

-- Adds a round trip: of all only the two shortest are remembered (us), and whether a handshake is among them.
local function add_round_trip(round_trips, rtt_us, handshake)
  round_trips.handshake_timed = round_trips.handshake_timed or handshake
  if not round_trips.least_us or rtt_us < round_trips.least_us then
    round_trips.least_us, round_trips.second_us = rtt_us, round_trips.least_us
  elseif not round_trips.second_us or rtt_us < round_trips.second_us then
    round_trips.second_us = rtt_us
  end
end

local HOST = record_of({
  "(BI4I4) tcp other syns",
  "I4 least_us second_us last_frame",
  "time last_us",
  "other handshake_timed accepting_ports macs last_link",
})

local hosts = {} -- active hosts, by address
local idle_hosts, evicted_hosts = {}, {} -- those not used since the last eviction, and all others, packed
local overflow = {} -- items of large sets of bytes, by the item and the host's address
-- By MAC and length of the address (IPv4 or IPv6): the first address that sent from the MAC. By address: whether it
-- shares a MAC with another address of its length.
local mac_owners = {}
local evict_idle -- packs the flows and hosts that were not used lately
-- Capacity, quota and counters of the flow store, which holds hosts too.
local flow_store = {
  capacity = 1000000, -- flows, before old ones without a reset are dropped
  quota = 256, -- flows that become active until idle ones are evicted; twice as many hosts
  active_flows = 0,
  active_hosts = 0,
  evicted = 0, -- flows evicted recently
  restored = 0, -- flows restored since the last eviction
}

-- TCP is counted separately, because other protocols may start from another initial hop limit (ping with 255, TCP
-- with 64). Across protocols only distances are compared. SYNs are left out, since anybody can send a SYN in another's
-- name; `syns` has these. Ports that accept connections and MACs are sets of bytes.
local function new_host()
  return { tcp = {}, other = {}, syns = {}, accepting_ports = "", macs = "" }
end

local NO_HOST = new_host()

local function unpack_host(packed)
  local host = new_host()
  unpack_into(host, HOST, packed, 1)
  return host
end

-- The host with that address; NO_HOST if the capture has no packet of it. To read only: it may be a copy.
local function known_host(of_address)
  if not of_address then
    return NO_HOST
  end
  local host = hosts[of_address] or idle_hosts[of_address]
  local packed = not host and evicted_hosts[of_address]
  return host or (packed and unpack_host(packed)) or NO_HOST
end

-- The host with that address, to change.
local function host_of(src)
  local host = hosts[src]
  if host then
    return host
  end
  if flow_store.active_hosts >= 2 * flow_store.quota then
    evict_idle()
  end
  host = known_host(src)
  host = host ~= NO_HOST and host or new_host()
  hosts[src], idle_hosts[src], evicted_hosts[src] = host, nil, nil
  flow_store.active_hosts = flow_store.active_hosts + 1
  return host
end

local function evict_idle_hosts()
  for src, host in pairs(idle_hosts) do
    evicted_hosts[src] = pack(HOST, host)
  end
  hosts, idle_hosts, flow_store.active_hosts = {}, hosts, 0
end

local function host_baseline(host)
  return most_frequent(#host.tcp > 0 and host.tcp or host.other)
end

-- For all protocols together, without SYNs: the list of distances, the number of packets, and the most packets with
-- one distance.
-- Two neighbouring distances count as one: a capture on both sides of a router holds each packet twice.
-- A distance `except` is left out if it has at most `few` packets.
local function host_distances(host, except, few)
  local order, counts, packets, most = {}, {}, 0, 0
  for _, tally in ipairs { host.tcp, host.other } do
    for at = 1, #tally, 3 do
      local hops, number = distance(tally[at]), tally[at + 1]
      if not counts[hops] then
        order[#order + 1] = hops
      end
      counts[hops] = (counts[hops] or 0) + number
      packets = packets + number
    end
  end
  if except and counts[except] and counts[except] <= few then
    packets, counts[except] = packets - counts[except], nil
    for index, hops in ipairs(order) do
      if hops == except then
        table.remove(order, index)
        break
      end
    end
  end
  for hops, number in pairs(counts) do
    most = math.max(most, number + (counts[hops + 1] or 0))
  end
  return order, packets, most
end

-- The share of `most` in the packets, in percent; nil if there are no packets.
local function share(most, packets)
  return packets > 0 and floor(100 * most / packets) or nil
end

-- A host's ports and MACs are sets of bytes, all items of one length. The first items are in a string, which is
-- searched; the others are in a table, since a hostile host may have any number.
local contains_item, add_port, add_link
do
  local MAX_IN_STRING = 64

  local function is_full(set, item)
    return #set >= MAX_IN_STRING * #item
  end

  -- The set with another item.
  local function with_item(set, src, item)
    if not is_full(set, item) then
      return set .. item
    end
    overflow[item .. src] = true
    return set
  end

  -- Whether `item` is in a `set` of the host with that address.
  function contains_item(set, src, item)
    local at = 0
    repeat
      at = string.find(set, item, at + 1, true)
    until not at or at % #item == 1
    return at ~= nil or (is_full(set, item) and overflow[item .. src] or false)
  end

  -- Adds a port that accepts connections, two bytes.
  function add_port(host, src, port)
    if not contains_item(host.accepting_ports, src, port) then
      host.accepting_ports = with_item(host.accepting_ports, src, port)
    end
  end

  -- Adds the source MAC of an authentic packet of the host, from its Ethernet addresses. Most hosts have one MAC and
  -- send to one: `last_link` is the last pair, which callers compare first.
  function add_link(host, src, link)
    local mac = source_mac(link)
    host.last_link = link
    if contains_item(host.macs, src, mac) then
      return
    end
    host.macs = with_item(host.macs, src, mac)
    local user = mac .. #src
    local owner = mac_owners[user]
    if owner then
      mac_owners[owner], mac_owners[src] = true, true
    else
      mac_owners[user] = src
    end
  end
end

local known_side, side_of, new_flow, each_flow, initiator_of, forget_flows
do
  -- Flow store: active and evicted flows ----------------------------------------------------------------------

  -- Active flows are tables. A flow without packets for a while is evicted: packed into a string, and restored with its
  -- next packet. A long live capture must not fill the memory: once half of `flow_store.capacity` flows are evicted,
  -- those evicted before them are dropped, except flows with resets.

  local SIDE = record_of({
    "I3 data_packets",
    "B handshake_packets handshake_transmissions syn_tos",
    "H resets last_id before_last_id last_window last_flags syn_window",
    "I3 syn_label",
    "I4 next_seq acked last_ack prior_ack advanced_seq isn last_tsval least_us second_us reset_burst last_reset",
    "I4 end_seq",
    "I5 preceding_gap_us",
    "time advanced_us last_us packet_burst_us handshake_us reset_burst_us",
    "other last_link",
    "other fin ever_reset initiates may_initiate last_has_ts handshake_answered handshake_timed syn_df handshake_linux",
    "(BI4I4) hop_limits handshake_hop_limits reset_hop_limits bare_reset_hop_limits",
    "(BI4) hop_limit_onsets",
    "(I4I4dB) in_flight",
    "(I4) recent_resets",
  })

  local FLOW = record_of({
    "I4 first_frame last_reset judged_at",
    "time last_syn_us",
    "i4 worst",
    "other ever_reset",
  })

  local idle_sides = {} -- of flows without packets since the last eviction
  local WITH_RESET, RECENT, OLD = 1, 2, 3
  local evicted_flows = { {}, {}, {} } -- packed, by the key of one side: with resets, evicted recently, evicted before
  local earlier_incarnations = {} -- by the same key: of each its first frame, and the packed flow
  local unpacked_incarnations, unpacked_number = {}, 0 -- some of them, unpacked
  local MAX_UNPACKED = 64
  local MAX_QUOTA = 16384

  local function reversed(key)
    local width = (#key - 4) / 2
    return sub(key, width + 1, 2 * width) .. sub(key, 1, width) .. sub(key, -2) .. sub(key, -4, -3)
  end

  -- How many flows become active until those without packets meanwhile are evicted.
  local function current_quota()
    return math.min(flow_store.quota, flow_store.capacity / 4)
  end

  -- One direction of a flow, that is, the packets of its sender, summed up. `in_flight` holds four values for each
  -- segment that is not acknowledged: begin, end, time, whether it was retransmitted.
  local function new_side()
    return {
      handshake_packets = 0,
      handshake_transmissions = 0,
      data_packets = 0,
      resets = 0,
      hop_limits = {},
      in_flight = {},
      -- Named here so that Lua makes the table large enough at once.
      flow = nil, peer = nil, host = nil, next_seq = nil, acked = nil, advanced_us = nil, advanced_seq = nil,
      last_us = nil,
      last_id = nil, before_last_id = nil, last_tsval = nil, last_has_ts = nil, last_window = nil, last_flags = nil,
      last_ack = nil, last_link = nil, packet_burst_us = nil, preceding_gap_us = nil,
    }
  end

  local function join(flow, side, peer)
    flow.side, flow.peer = side, peer
    side.flow, side.peer = flow, peer
    peer.flow, peer.peer = flow, side
    return flow
  end

  local function pack_flow(flow)
    local peer = flow.peer ~= flow.side and pack(SIDE, flow.peer) or ""
    return pack(FLOW, flow) .. pack(SIDE, flow.side) .. peer
  end

  local function unpack_flow(key, packed)
    local flow, side = { key = key }, new_side()
    local at = unpack_into(side, SIDE, packed, unpack_into(flow, FLOW, packed, 1))
    local peer = side
    if at <= #packed then
      peer = new_side()
      unpack_into(peer, SIDE, packed, at)
    end
    return join(flow, side, peer)
  end

  local function evict_flow(flow)
    local at = flow.ever_reset and WITH_RESET or RECENT
    evicted_flows[at][flow.key] = pack_flow(flow)
    if at == WITH_RESET then
      return
    end
    flow_store.evicted = flow_store.evicted + 1
    if 2 * (flow_store.evicted + current_quota()) >= flow_store.capacity then
      for key in pairs(evicted_flows[OLD]) do
        earlier_incarnations[key] = nil
      end
      evicted_flows[OLD], evicted_flows[RECENT], flow_store.evicted = evicted_flows[RECENT], {}, 0
    end
  end

  -- Evicts flows and hosts that were not used since the last time. If many flows are restored, more stay active.
  function evict_idle()
    for key, side in pairs(idle_sides) do
      if side.flow.key == key then
        evict_flow(side.flow)
      end
    end
    sides, idle_sides = {}, sides
    evict_idle_hosts()
    if 4 * flow_store.restored > flow_store.active_flows then
      flow_store.quota = math.min(2 * flow_store.quota, MAX_QUOTA)
    end
    flow_store.active_flows, flow_store.restored = 0, 0
  end

  -- Makes a flow active. `back` is the key of its other side. Hosts are evicted together with flows, so the sides have
  -- to look for theirs again.
  local function activate(flow, back)
    if flow_store.active_flows >= current_quota() then
      evict_idle()
    end
    flow_store.active_flows = flow_store.active_flows + 1
    sides[flow.key], sides[back] = flow.side, flow.peer
    flow.side.host, flow.peer.host = nil, nil
  end

  -- The flow evicted under a key, taken out of the store.
  local function take_evicted(key)
    for since, flows in ipairs(evicted_flows) do
      local packed = flows[key]
      if packed then
        flows[key] = nil
        flow_store.evicted = flow_store.evicted - (since == RECENT and 1 or 0)
        return unpack_flow(key, packed)
      end
    end
  end

  local function restored_side(key)
    local back = reversed(key)
    local side = idle_sides[key]
    local flow = side and side.flow
    if flow then
      idle_sides[key], idle_sides[back] = nil, nil
    else
      flow = take_evicted(key) or take_evicted(back)
      if not flow then
        return nil
      end
      flow_store.restored = flow_store.restored + 1
    end
    activate(flow, flow.key == key and back or key)
    return flow.key == key and flow.side or flow.peer
  end

  -- The side that sends under `key`, of the last incarnation of its flow.
  function known_side(key)
    return sides[key] or restored_side(key)
  end

  -- Begins a flow, or its next incarnation after `previous`, with a frame; returns the side of its sender.
  function new_flow(key, frame, previous)
    local back = reversed(key)
    local side = new_side()
    local peer = back == key and side or new_side()
    local flow = join({ key = key, first_frame = frame }, side, peer)
    local s1, s2, d1, d2 = byte(key, -4, -1)
    -- Until a handshake says who it is: the end with the higher port
    local guessed = s1 * 256 + s2 >= d1 * 256 + d2 and side or peer
    guessed.may_initiate = true
    if not previous then
      activate(flow, back)
      return side
    end
    if previous.key ~= key then
      flow.key, flow.side, flow.peer = previous.key, peer, side
    end
    flow.ever_reset = previous.ever_reset
    local before = previous.key == key and previous.side or previous.peer
    side.prior_ack, side.ever_reset = before.last_ack or before.prior_ack, before.ever_reset
    peer.prior_ack, peer.ever_reset = before.peer.last_ack or before.peer.prior_ack, before.peer.ever_reset
    local incarnations = earlier_incarnations[flow.key] or {}
    incarnations[#incarnations + 1], incarnations[#incarnations + 2] = previous.first_frame, pack_flow(previous)
    earlier_incarnations[flow.key] = incarnations
    sides[key], sides[back] = side, peer
    return side
  end

  -- An earlier incarnation, to read only.
  local function incarnation_of(key, packed)
    local flow = unpacked_incarnations[packed]
    if not flow then
      if unpacked_number == MAX_UNPACKED then
        unpacked_incarnations, unpacked_number = {}, 0
      end
      flow = unpack_flow(key, packed)
      unpacked_incarnations[packed], unpacked_number = flow, unpacked_number + 1
    end
    return flow
  end

  -- The sender's side of the flow of a frame that was dissected before: of the last incarnation that had begun by then.
  -- Ports can be reused a million times in one file, hence the binary search.
  function side_of(key, frame)
    local side = known_side(key)
    if not side or side.flow.first_frame <= frame then
      return side
    end
    local incarnations = earlier_incarnations[side.flow.key]
    if not incarnations then
      return side
    end
    local low, high = 1, #incarnations / 2
    while low < high do
      local middle = math.floor((low + high + 1) / 2)
      if incarnations[2 * middle - 1] <= frame then
        low = middle
      else
        high = middle - 1
      end
    end
    local flow = incarnation_of(side.flow.key, incarnations[2 * low])
    return flow.key == key and flow.side or flow.peer
  end

  -- Calls `use` with the key of one side and the flow, to read only, for the last incarnation of every flow that is
  -- wanted by its key.
  function each_flow(wanted, use)
    for _, active in ipairs { sides, idle_sides } do
      for key, side in pairs(active) do
        if side.flow.key == key and wanted(key) then
          use(key, side.flow)
        end
      end
    end
    for _, packed_flows in ipairs(evicted_flows) do
      for key, packed in pairs(packed_flows) do
        if wanted(key) then
          use(key, unpack_flow(key, packed))
        end
      end
    end
  end

  -- The side that opened the connection; nil if the capture holds no handshake.
  function initiator_of(flow)
    return flow.side.initiates and flow.side or flow.peer.initiates and flow.peer or nil
  end

  function forget_flows()
    sides, idle_sides, earlier_incarnations, unpacked_incarnations, unpacked_number = {}, {}, {}, {}, 0
    evicted_flows = { {}, {}, {} }
    hosts, idle_hosts, evicted_hosts, overflow, mac_owners = {}, {}, {}, {}, {}
    flow_store.active_flows, flow_store.restored, flow_store.active_hosts, flow_store.evicted = 0, 0, 0, 0
  end
end

local count_hop_limit, is_sender_hop_limit, stray_packets, own_hop_limits, own_resets
do
  -- Injected packets: which hop limits of a flow are the sender's own, and which another device's -----------------

  -- A few packets with a hop limit of their own, among many others, may be another device's: at most so many, at most
  -- this share of the sender's packets (percent), and so many hops from any other of its hop limits.
  local MAX_STRAY_PACKETS, MAX_STRAY_SHARE = 8, 25
  local MIN_STRAY_GAP = 2

  -- Counts an authentic packet. `hop_limit_onsets` has, for every hop limit but the first of its side, how many packets
  -- came before.
  function count_hop_limit(side, hop_limit, frame)
    local counts = side.hop_limits
    if counts[1] and tally_count(counts, hop_limit) == 0 then
      side.hop_limit_onsets = side.hop_limit_onsets or {}
      local onsets = side.hop_limit_onsets
      onsets[#onsets + 1], onsets[#onsets + 2] = hop_limit, tally_total(counts)
    end
    add_to_tally(counts, hop_limit, frame)
  end

  local function is_rare(side, hop_limit)
    local packets = tally_count(side.hop_limits, hop_limit)
    return packets <= MAX_STRAY_PACKETS and packets * 100 <= tally_total(side.hop_limits) * MAX_STRAY_SHARE
  end

  -- Whether a packet that passes now counts as the sender's, as far as the flow is known.
  function is_sender_hop_limit(side, hop_limit)
    return side.hop_limits[1] == hop_limit or not is_rare(side, hop_limit)
  end

  -- How many packets had come before the first one with this hop limit; nil for the first hop limit of a side.
  local function onset_of(side, hop_limit)
    local onsets = side.hop_limit_onsets or {}
    for at = 1, #onsets, 2 do
      if onsets[at] == hop_limit then
        return onsets[at + 1]
      end
    end
  end

  local function is_beside_another(side, hop_limit)
    for gap = 1, MIN_STRAY_GAP - 1 do
      if tally_count(side.hop_limits, hop_limit - gap) > 0 or tally_count(side.hop_limits, hop_limit + gap) > 0 then
        return true
      end
    end
    return false
  end

  local function of_another_stack(handshake, hop_limit)
    local initial = initial_hop_limit(hop_limit)
    for _, other in ipairs(tally_values(handshake)) do
      if initial_hop_limit(other) == initial then
        return false
      end
    end
    return handshake[1] ~= nil
  end

  -- How many packets with this hop limit were put in by another device, as the whole flow shows; 0 if it is own. Stray
  -- packets are few, and their hop limit is neither that of the handshake nor next to another one. A change of route is
  -- not the reason: the sender's own packets go on after the first of them, or they started from another initial hop
  -- limit than the handshake.
  function stray_packets(side, hop_limit)
    local onset, handshake = onset_of(side, hop_limit), side.handshake_hop_limits or {}
    if not onset or tally_count(handshake, hop_limit) > 0 then
      return 0
    end
    local packets = tally_count(side.hop_limits, hop_limit)
    local others_after = tally_total(side.hop_limits) - onset - packets
    if not is_rare(side, hop_limit) or is_beside_another(side, hop_limit) then
      return 0
    end
    return (others_after > 0 or of_another_stack(handshake, hop_limit)) and packets or 0
  end

  -- The tally of the hop limits that the sender's own packets show.
  function own_hop_limits(side)
    if not side.hop_limit_onsets then
      return side.hop_limits
    end
    local own = {}
    for at = 1, #side.hop_limits, 3 do
      if stray_packets(side, side.hop_limits[at]) == 0 then
        for offset = 0, 2 do
          own[#own + 1] = side.hop_limits[at + offset]
        end
      end
    end
    return own
  end

  -- Of the resets in the sender's name that `tally` counts, those that carry a hop limit of its own packets.
  function own_resets(side, tally)
    local own, own_counts = 0, own_hop_limits(side)
    for _, hop_limit in ipairs(tally_values(tally)) do
      if tally_count(own_counts, hop_limit) > 0 then
        own = own + tally_count(tally, hop_limit)
      end
    end
    return own
  end
end

-- Tracker: follow TCP flows, that is, addresses, ports and incarnation -----------------------------------------

-- Segments in flight that are remembered for each sender, for round trips, and resets, to find duplicates.
local REMEMBERED_SEGMENTS, REMEMBERED_RESETS = 8, 16

-- An IP ID that is the sender's own next, or close after it, may equal that of another host by chance.
local OWN_RUN = 16

-- Packets of a sender with gaps shorter than this form one packet burst.
local TALK_GAP_US = THRESHOLDS.talk_gap_us

-- The last of the four values of a segment in flight.
local NOT_RETRANSMITTED, RETRANSMITTED = 0, 1

local resets = {} -- resets with their context, packed, by frame
local last_frame, newest_us = 0, 0 -- the last new frame, and the latest time of all frames
local reading = true -- whether the frame is dissected for the first time

-- Whether the packet acknowledges the peer's last SYN or SYN-ACK.
local function acknowledges_syn(packet, peer)
  return peer.isn ~= nil and packet.ack == (peer.isn + 1) % SEQUENCES
end

-- The flow has a FIN or a reset: the next new SYN begins another incarnation.
local function ended(side, peer)
  return side.fin or peer.fin or side.resets > 0 or peer.resets > 0
end

-- Whether a SYN on a flow begins the next incarnation: the flow has ended, and it is not the old SYN once more. A
-- SYN-ACK begins an incarnation only if the capture lacks the SYN: if it holds the peer's SYN, that one is answered.
local function begins_again(packet, side)
  local peer = side.peer
  if not ended(side, peer) then
    return false
  end
  if packet.acknowledges and acknowledges_syn(packet, peer) then
    return false
  end
  return packet.seq ~= side.isn
end

-- The sender's side of the flow that a new segment belongs to.
local function side_for(packet)
  local key = packet.key
  local side = sides[key] or known_side(key)
  if not side then
    return new_flow(key, packet.frame)
  end
  if packet.flag_set.syn and not packet.reset and begins_again(packet, side) then
    return new_flow(key, packet.frame, side.flow)
  end
  return side
end

-- Keeps the last `limit` entries of a list.
local function push(list, entry, limit)
  if #list >= limit then
    table.remove(list, 1)
  end
  list[#list + 1] = entry
end

-- Remembers a segment until it is acknowledged. A segment that overlaps another was sent, or captured, twice. A
-- segment that fills a hole was overtaken by the next one. A segment from before the oldest in flight may be a
-- retransmission.
local function remember_in_flight(in_flight, acked, seq, segment_end, time_us, fresh)
  local length = #in_flight
  if not fresh then
    local overlaps = false
    for at = 1, length, 4 do
      if (seq - in_flight[at + 1]) % SEQUENCES > HALF and (in_flight[at] - segment_end) % SEQUENCES > HALF then
        in_flight[at + 3] = RETRANSMITTED
        overlaps = true
      end
    end
    local fills_hole = not overlaps
      and length > 0
      and seq_diff(seq, in_flight[1]) >= 0
      and (not acked or seq_diff(seq, acked) >= 0)
    if not fills_hole then
      return
    end
  end
  if length == 4 * REMEMBERED_SEGMENTS then
    length = length - 4
    for at = 1, length do
      in_flight[at] = in_flight[at + 4]
    end
  end
  in_flight[length + 1] = seq
  in_flight[length + 2] = segment_end
  in_flight[length + 3] = time_us
  in_flight[length + 4] = NOT_RETRANSMITTED
end

-- An acknowledgement ends the round trip of the segment that ends there, unless retransmitted (Karn's rule).
local function take_round_trips(side, peer, in_flight, ack, time_us)
  local kept, length = 0, #in_flight
  for at = 1, length, 4 do
    local segment_end, sent_us = in_flight[at + 1], in_flight[at + 2]
    if (ack - segment_end) % SEQUENCES >= HALF then
      if at ~= kept + 1 then
        in_flight[kept + 1], in_flight[kept + 2] = in_flight[at], segment_end
        in_flight[kept + 3], in_flight[kept + 4] = sent_us, in_flight[at + 3]
      end
      kept = kept + 4
    elseif ack == segment_end and in_flight[at + 3] == NOT_RETRANSMITTED and time_us >= sent_us then
      add_round_trip(side, elapsed_us(time_us, sent_us), in_flight[at] == peer.isn)
    end
  end
  for at = kept + 1, length do
    in_flight[at] = nil
  end
end

-- Adds the round trip that a SYN-ACK ends, if exactly one SYN can have asked for it.
local function time_syn_ack(packet, peer, host)
  if peer.handshake_answered or not acknowledges_syn(packet, peer) then
    return
  end
  peer.handshake_answered = true
  if peer.handshake_transmissions == 1 and packet.time_us >= peer.handshake_us then
    add_round_trip(host, elapsed_us(packet.time_us, peer.handshake_us), true)
  end
end

-- Takes a SYN or SYN-ACK.
local function take_handshake(packet, side, peer)
  local flow = side.flow
  if not side.handshake_hop_limits then
    decode_fingerprint()
    side.handshake_hop_limits = {}
    side.syn_df, side.syn_label, side.syn_window = packet.df, packet.flow_label, packet.window
    side.syn_tos = not packet.acknowledges and packet.tos or nil
  end
  if side.handshake_linux ~= false then -- nil, or Linux so far
    side.handshake_linux = linux_options()
  end
  side.handshake_packets = side.handshake_packets + 1
  add_to_tally(side.handshake_hop_limits, packet.hop_limit, packet.frame)
  side.handshake_transmissions = side.isn == packet.seq and side.handshake_transmissions + 1 or 1
  if side.handshake_transmissions == 1 then
    side.isn, side.handshake_us, side.handshake_answered = packet.seq, packet.time_us, false
  end
  if packet.acknowledges then
    add_port(side.host, source_of(packet.key), sub(packet.key, -4, -3))
    time_syn_ack(packet, peer, side.host)
  else
    flow.last_syn_us = packet.time_us
  end
  if not initiator_of(flow) then
    (packet.acknowledges and peer or side).initiates = true
  end
end

-- Takes a segment that its sender is assumed to have sent itself: every segment but resets. Nearly all packets come
-- here, so their values are arguments: reading them from a table takes several times as long. `current` has those of
-- a SYN too.
local function take_authentic(
  side, frame, time_us, key, hop_limit, link, flag_set, seq, ack, payload_len, window, ip_id, tsval
)
  local peer, host, hop_limits = side.peer, side.host, side.hop_limits
  local last_us, next_seq, acked = side.last_us, side.next_seq, side.acked
  if not host then
    host = host_of(source_of(key))
    side.host = host
  end
  local acknowledges = flag_set.acknowledges
  local host_hop_limits = flag_set.syn and not acknowledges and host.syns or host.tcp
  if hop_limits[1] == hop_limit and host_hop_limits[1] == hop_limit then -- nearly always; saves two calls
    hop_limits[2], host_hop_limits[2] = hop_limits[2] + 1, host_hop_limits[2] + 1
  else
    count_hop_limit(side, hop_limit, frame)
    add_to_tally(host_hop_limits, hop_limit, frame)
  end
  host.last_frame, host.last_us = frame, time_us
  if link and link ~= host.last_link then
    add_link(host, source_of(key), link)
  end
  if flag_set.syn then
    take_handshake(current, side, peer)
  end
  local in_flight = peer.in_flight
  if acknowledges and in_flight[1] then
    take_round_trips(side, peer, in_flight, ack, time_us)
  end

  -- What the packet adds to the sender's sequence space, and whether it moves the conversation on
  local length, segment_end = payload_len + flag_set.length, seq
  local fresh = not next_seq or (seq - next_seq) % SEQUENCES < HALF
  local advances = acknowledges and (not acked or (acked - ack) % SEQUENCES > HALF)
  if advances then
    side.acked = ack
  end
  if fresh and acknowledges and (advances or length > 0) and is_sender_hop_limit(side, hop_limit) then
    side.advanced_us, side.advanced_seq = time_us, seq
  end
  if length > 0 then
    segment_end = (seq + length) % SEQUENCES
    remember_in_flight(side.in_flight, peer.acked, seq, segment_end, time_us, fresh)
    if fresh and payload_len > 0 and not flag_set.syn then -- TCP Fast Open (RFC 7413) sends data with the SYN
      side.data_packets = side.data_packets + 1
    end
  end
  if not next_seq or (next_seq - segment_end) % SEQUENCES > HALF then
    side.next_seq = segment_end
  end

  if not last_us or time_us - last_us >= TALK_GAP_US then
    side.packet_burst_us = time_us
    side.preceding_gap_us = last_us and elapsed_us(time_us, last_us)
  end
  if flag_set.fin then
    side.fin = true
  end
  if tsval then
    side.last_tsval = tsval
  end
  side.last_has_ts = tsval ~= nil
  side.before_last_id, side.last_id = side.last_id, ip_id
  side.last_us = time_us
  if acknowledges then
    side.last_ack = ack
  end
  side.last_window = window
  side.last_flags = flag_set.flags
  side.last_link = link
end

local include_network, join_ip_id_run, ip_id_run_sizes, forget_ip_id_runs
do
  -- IP-ID runs: resets whose IP IDs count up, as those of one device do, whichever senders they name --------------

  -- Runs that are remembered. Each is one more that a random IP ID may fall into.
  local REMEMBERED_RUNS = 16

  local ip_id_runs = {} -- the last one continued comes last
  local past_ip_id_runs = {} -- senders and networks of older runs of several senders, by number

  -- First bytes of private networks, and the range of the second byte (RFC 1918, 6598, 3927, 1122; RFC 4193, 4291).
  local PRIVATE_NETWORKS = {
    [4] = {
      [10] = { 0, 255 },
      [172] = { 16, 31 },
      [192] = { 168, 168 },
      [100] = { 64, 127 },
      [169] = { 254, 254 },
      [127] = { 0, 255 },
    },
    [6] = {
      [252] = { 0, 255 },
      [253] = { 0, 255 },
      [254] = { 128, 191 },
    },
  }

  -- The first 16 bits of a public IPv4 address, the first 32 of an IPv6 one; nil for a private address. Addresses that
  -- differ in these bits are seldom neighbours. Private networks may lie side by side.
  local function network(src)
    local ipv4 = #src == 4
    local first, second = byte(src, 1, 2)
    local range = PRIVATE_NETWORKS[ipv4 and 4 or 6][first]
    if range and second >= range[1] and second <= range[2] then
      return nil
    end
    return sub(src, 1, ipv4 and 2 or 4)
  end

  -- Adds the network of an address to a set of networks.
  function include_network(networks, src)
    local of_sender = network(src)
    if of_sender then
      include(networks, of_sender)
    end
  end

  -- The run that the reset continues, taken out of the list. A duplicate of the run's last packet has the same IP ID.
  local function continued_run(packet, src)
    for index = #ip_id_runs, 1, -1 do
      local run = ip_id_runs[index]
      local step = (packet.ip_id - run.last_id) % 65536
      local follows = (step >= 1 and step <= THRESHOLDS.run_step) or (step == 0 and run.senders.has[src])
      if run.hop_limit == packet.hop_limit and follows then
        return table.remove(ip_id_runs, index)
      end
    end
  end

  -- The number of the run that a new reset belongs to; nil if its IP ID says nothing: it is missing, 0, or the sender's
  -- own next.
  function join_ip_id_run(packet, src, id_step)
    if (packet.ip_id or 0) == 0 or (id_step and id_step >= 1 and id_step <= OWN_RUN) then
      return nil
    end
    local run = continued_run(packet, src)
      or { number = packet.frame, hop_limit = packet.hop_limit, senders = new_set(), networks = new_set() }
    run.last_id = packet.ip_id
    include(run.senders, src)
    include_network(run.networks, src)
    local oldest = ip_id_runs[1]
    if #ip_id_runs == REMEMBERED_RUNS and oldest.senders.size > 1 then
      past_ip_id_runs[oldest.number] = { oldest.senders.size, oldest.networks.size }
    end
    push(ip_id_runs, run, REMEMBERED_RUNS)
    return run.number
  end

  -- How many senders and networks the run with that number has. A run of one sender is not stored.
  function ip_id_run_sizes(number, src)
    for _, run in ipairs(ip_id_runs) do
      if run.number == number then
        return run.senders.size, run.networks.size
      end
    end
    local sizes = past_ip_id_runs[number]
    if sizes then
      return sizes[1], sizes[2]
    end
    return 1, network(src) and 1 or 0
  end

  function forget_ip_id_runs()
    ip_id_runs, past_ip_id_runs = {}, {}
  end
end

local join_origin, shared_origin_of, summary_of, forget_origins
do
  -- Shared origin: senders whose resets arrive with one hop limit, perhaps from one place -------------------------

  -- From this share of its packets on, in percent, a baseline counts for its host. Few hosts have one, since many are
  -- compared.
  local STABLE_SHARE = 90

  -- Up to so many senders, an origin is summarised anew for every reset while a capture is read for the first time.
  local FEW_SENDERS = 64

  local origins = {} -- by IP version and hop limit: the senders of the resets

  -- The origin of resets with this hop limit, of the IP version of `src`.
  function shared_origin_of(hop_limit, src)
    local key = hop_limit + (#src == 4 and 0 or 256)
    local origin = origins[key]
    if not origin then
      origin = { hop_limit = hop_limit, ipv4 = #src == 4, senders = new_set(), networks = new_set(),
        interrupted = new_set() }
      origins[key] = origin
    end
    return origin
  end

  -- Adds the sender of a reset to the origin of the reset. `interrupted` has those whose packets in a flow of a reset,
  -- until then, were all 2 or more hops off.
  function join_origin(packet, src, side)
    local origin = shared_origin_of(packet.hop_limit, src)
    include(origin.senders, src)
    if (nearest(packet.hop_limit, tally_values(side.hop_limits)) or 0) >= 2 then
      include(origin.interrupted, src)
    end
    include_network(origin.networks, src)
  end

  -- The most senders of any other origin of the same IP version. A scan finds hosts in many places.
  local function rival_of(origin)
    local most = 0
    for _, other in pairs(origins) do
      if other ~= origin and other.ipv4 == origin.ipv4 then
        most = math.max(most, other.senders.size)
      end
    end
    return most
  end

  -- The observables `place_*` of an origin, under the rest of the name.
  local function summarise(origin)
    local here, foreign, native, baselines = distance(origin.hop_limit), 0, 0, new_set()
    for src in pairs(origin.senders.has) do
      local host = known_host(src)
      local order, packets, most = host_distances(host)
      local gap = nearest(here, order)
      if gap and gap <= 1 then
        native = native + 1
      elseif gap and share(most, packets) >= STABLE_SHARE then
        foreign = foreign + 1
        include(baselines, distance(host_baseline(host)))
      end
    end
    return {
      senders = origin.senders.size,
      networks = origin.networks.size,
      foreign = foreign,
      baselines = baselines.size,
      native = native,
      rival = rival_of(origin),
    }
  end

  -- The summary of an origin, stored until the next frame. While a capture is read for the first time (the verdicts are
  -- provisional), an origin of many senders is summarised anew only once it has grown by half.
  function summary_of(origin)
    local stored = origin.summary
    local senders = origin.senders.size
    local crowded = reading and senders > FEW_SENDERS and stored and 2 * senders < 3 * stored.senders
    if origin.summarised_at ~= last_frame and not crowded then
      origin.summary, origin.summarised_at = summarise(origin), last_frame
    end
    return origin.summary
  end

  function forget_origins()
    origins = {}
  end
end

local unpacked_reset, reset_of, burst_of, stage_of, follow, forget_resets
local ended_connection, silences_of, known_timeout
do
  -- Connection end: whether a reset ended its connection, or came after the end -----------------------------------

  -- A reset ends a connection that is open. What a closed socket answers to data that were still on their way, and what
  -- comes after an earlier reset, ends nothing. A connection survives a reset if its receiver acknowledges bytes that
  -- the sender sent after it: a forged reset with wrong numbers, or one that its receiver ignored.

  -- As `end_seq`: no sequence number of the sender was known, so whatever is acknowledged came later.
  local NOTHING_SENT = -1

  -- Whether the receiver of a reset acknowledges bytes that the sender sent after it.
  local function survived(peer, end_seq)
    return peer.acked ~= nil and (end_seq == NOTHING_SENT or seq_diff(peer.acked, end_seq) > 0)
  end

  local function ended_by(side, peer)
    return side.end_seq ~= nil and not survived(peer, side.end_seq)
  end

  -- The reset shows no connection that it could end: nothing came before it, or it is out of the window.
  local function without_effect(reset)
    return not reset.idle_us or reset.seq_foreign or reset.answers_earlier
  end

  -- The end of all that the sender had sent when the reset passed.
  local function end_seq_of(reset)
    if not reset.seq_ahead then
      return NOTHING_SENT
    end
    return (reset.seq + math.max(0, -(reset.seq_step or 0))) % SEQUENCES
  end

  -- Whether the connection had ended before the reset `packet` of `side`.
  local function after_end(packet, side, peer)
    local socket_gone = side.fin and not packet.acknowledges
    return socket_gone or (side.fin and peer.fin) or ended_by(side, peer) or ended_by(peer, side)
  end

  -- Whether the peer's last packet was on its way when the FIN of `side` was; nil without a FIN.
  local function crossed_fin(side, peer)
    if side.fin and side.next_seq then
      local acknowledges = peer.last_flags and FLAG_SETS[peer.last_flags].acknowledges
      return acknowledges and seq_diff(peer.last_ack, side.next_seq) < 0 or false
    end
  end

  -- Remembers on its side that this reset may have ended the connection, for the resets that follow.
  local function note_end(reset, side)
    if not (reset.after_end or without_effect(reset)) then
      side.end_seq = end_seq_of(reset)
    end
  end

  -- Whether the connection ended with the reset; nil if the capture does not show it.
  function ended_connection(reset)
    if reset.after_end or reset.answers_earlier then
      return false
    elseif not without_effect(reset) then
      return not survived(reset.peer, end_seq_of(reset))
    end
  end

  -- Silence before resets: of each connection, and of all that one sender reset after a long silence ---------------

  local LONG_SILENCE_US = 60000000

  -- Idle timeouts that devices and kernels are known to have: seconds, words. A silence is near one if it differs by at
  -- most a share of it (percent), or by a few seconds.
  local KNOWN_TIMEOUTS = {
    { 240, "240 s, as of Azure load balancers" },
    { 300, "300 s, as of F5 BIG-IP" },
    { 350, "350 s, as of AWS load balancers and NAT gateways" },
    { 900, "900 s, a usual choice" },
    { 1800, "1800 s, as of Juniper SRX" },
    { 3600, "3600 s, as of FortiGate and Cisco firewalls" },
    { 7200, "7200 s, the first keep-alive of most hosts" },
  }
  local NEAR_SHARE, NEAR_SECONDS = 2, 5

  local silences = {} -- by sender: how many, and the shortest (us)

  -- The longer of the two that is known.
  local function silence_us(idle_us, peer_pause_us)
    if idle_us and peer_pause_us then
      return math.max(idle_us, peer_pause_us)
    end
    return idle_us or peer_pause_us
  end

  -- Counts a reset of `src` that is no copy, if it ended a connection after a long silence.
  local function count_silence(reset, src)
    local silence = reset.silence_us
    if reset.after_end or not silence or silence < LONG_SILENCE_US then
      return
    end
    local of_sender = silences[src] or { resets = 0, least_us = silence }
    of_sender.resets, of_sender.least_us = of_sender.resets + 1, math.min(of_sender.least_us, silence)
    silences[src] = of_sender
  end

  -- How many resets of a sender came after a long silence, and the shortest silence.
  function silences_of(src)
    local of_sender = silences[src]
    if not of_sender then
      return 0, nil
    end
    return of_sender.resets, of_sender.least_us
  end

  -- The known timeout that a silence is nearest to.
  function known_timeout(silence)
    for _, timeout in ipairs(KNOWN_TIMEOUTS) do
      local near = math.max(NEAR_SECONDS * 100, NEAR_SHARE * timeout[1]) * 10000
      if silence and math.abs(silence - timeout[1] * 1000000) <= near then
        return timeout[2]
      end
    end
    return "none"
  end

  local function forget_silences()
    silences = {}
  end

  -- Reset context: the state of the flow when a reset passed ---------------------------------------------------

  -- The record of a reset: the fields below, and every observable whose source is the context (the vocabulary of the
  -- rulebook; the lines are generated from it). `previous_reset` is the frame of the flow's reset before this one,
  -- `burst` that of the first reset of its burst, `ip_id_run` the number of its IP-ID run. `in_flight_end` and
  -- `in_flight_us` belong to the last segment in flight to the sender: its end, and its age. Flow and sides are found
  -- again by key and frame.
  local RESET = record_of({
    "other key mac payload_kind stated_cause f5_trailer df acknowledges sender_had_sent",
    "B hop_limit tos options_len",
    "H flags window ip_id stated_reason",
    "I3 flow_label payload_len",
    "I4 seq ack tsval stated_enterprise previous_reset burst ip_id_run in_flight_end",
    "I5 in_flight_us",
    "time time_us",
    "I5 acked_us idle_us peer_run_us peer_pause_us response_us peer_reset_gap_us silence_us",
    "other stage sender_is_initiator syn_only established seq_foreign fin_before answers_earlier",
    "other after_end crossed_fin id_mirrored window_mirrored reserved_mirrored ts_missing ack_unflagged",
    "other mac_addressed",
    "H resets_before own_resets_before peer_resets_before id_step own_id_step own_window",
    "i4 ack_ahead acked_bytes ack_step seq_ahead seq_step ts_step",
  })

  -- Other protocols than TCP with a lower hop limit than this do not tell where a host sits: services for the own link
  -- send with it on purpose (SSDP).
  local MIN_OTHER_HOP_LIMIT = 20

  local bursts = {} -- of more than one reset, by the frame of the first

  function unpacked_reset(frame)
    local reset = { frame = frame }
    unpack_into(reset, RESET, resets[frame], 1)
    return reset
  end

  -- The reset with its flow and sides.
  function reset_of(frame)
    local reset = unpacked_reset(frame)
    local side = side_of(reset.key, frame)
    reset.flow, reset.side, reset.peer = side.flow, side, side.peer
    return reset
  end

  local function established(side)
    return tally_total(side.hop_limits) > side.handshake_packets
  end

  -- The earlier reset of which this is a second capture (mirror port, both sides of a router), if any. Two resets with
  -- the same IP ID other than 0 are one packet. Without an IP ID, a duplicate is accepted only if it is at most one
  -- router away from the original or from another duplicate, since forgers send the same reset again with another hop
  -- limit.
  local function duplicate_of(packet, side)
    local recent = side.recent_resets
    for index = #recent, 1, -1 do
      local other = unpacked_reset(recent[index])
      if packet.time_us - other.time_us > THRESHOLDS.copy_gap_us then
        return nil
      end
      local same = packet.seq == other.seq
        and packet.ack == other.ack
        and packet.flags == other.flags
        and packet.window == other.window
        and packet.ip_id == other.ip_id
        and packet.payload_len == other.payload_len
        and packet.tsval == other.tsval
      if same and ((packet.ip_id or 0) ~= 0 or math.abs(packet.hop_limit - other.hop_limit) <= 1) then
        return other
      end
    end
  end

  local function add_to_burst(burst, reset)
    local ahead = reset.seq_ahead
    add_to_tally(burst.hop_limits, reset.hop_limit, reset.frame)
    burst.size = burst.size + 1
    include(burst.seqs, reset.seq)
    burst.seqs_by_hop_limit[reset.hop_limit] = burst.seqs_by_hop_limit[reset.hop_limit] or new_set()
    include(burst.seqs_by_hop_limit[reset.hop_limit], reset.seq)
    include(burst.windows, reset.window)
    if ahead and ahead > 0 and ahead <= THRESHOLDS.seq_reach then
      include(burst.seqs_ahead, reset.seq)
    end
  end

  -- The burst whose first reset is at `frame`. A burst of one reset is made anew: it is not stored.
  function burst_of(frame)
    local burst = bursts[frame]
    if not burst then
      burst = { size = 0, hop_limits = {}, seqs = new_set(), seqs_by_hop_limit = {}, seqs_ahead = new_set(),
        windows = new_set() }
      add_to_burst(burst, unpacked_reset(frame))
    end
    return burst
  end

  -- The burst that the reset continues or begins: resets of one sender, each soon after the one before. Duplicates
  -- count once. Returns the frame of its first reset.
  local function join_burst(reset, side)
    if side.reset_burst and math.abs(reset.time_us - side.reset_burst_us) <= THRESHOLDS.burst_gap_us then
      bursts[side.reset_burst] = burst_of(side.reset_burst)
      add_to_burst(bursts[side.reset_burst], reset)
    else
      side.reset_burst = reset.frame
    end
    side.reset_burst_us = reset.time_us
    return side.reset_burst
  end

  -- The stage of the connection, in the words of the connection-tampering literature (SIGCOMM 2023). As there, only the
  -- initiator's data count. Without a handshake, data show that the stage was later than the first.
  function stage_of(flow)
    local initiator = initiator_of(flow)
    if flow.side.fin or flow.peer.fin then
      return "after-fin"
    elseif not initiator then
      return (flow.side.data_packets > 0 or flow.peer.data_packets > 0) and "later" or "unknown"
    end
    if initiator.data_packets == 0 then
      return established(initiator) and "post-ack" or "post-syn"
    end
    return initiator.data_packets == 1 and "post-psh" or "later"
  end

  local function sender_is_initiator(flow, side)
    if initiator_of(flow) then
      return side.initiates or false
    end
  end

  local function syn_only(side, sender_had_sent)
    return sender_had_sent and side.initiates and not established(side) or false
  end

  -- Time to the peer's nearest reset. If this reset is the nearest to the peer's last one, notes it there too.
  local function peer_reset_gap_us(packet, peer)
    if not peer.last_reset then
      return nil
    end
    local other = unpacked_reset(peer.last_reset)
    local gap_us = math.abs(elapsed_us(packet.time_us, other.time_us))
    if not other.peer_reset_gap_us or gap_us < other.peer_reset_gap_us then
      other.peer_reset_gap_us = gap_us
      resets[peer.last_reset] = pack(RESET, other)
    end
    return gap_us
  end

  -- Compares with the most that the sender sent or the peer acknowledged: a capture may lack the sender's side.
  local function seq_ahead(packet, side, peer)
    local beyond_sent = side.next_seq and seq_diff(packet.seq, side.next_seq)
    local beyond_acked = peer.acked and seq_diff(packet.seq, peer.acked)
    if beyond_sent and beyond_acked then
      return math.min(beyond_sent, beyond_acked)
    end
    return beyond_sent or beyond_acked
  end

  -- The reset belongs to another conversation: one before a SYN proxy, or one before the ports were reused.
  local function seq_foreign(sender_had_sent, ahead)
    return sender_had_sent and ahead ~= nil and math.abs(ahead) > THRESHOLDS.seq_reach
  end

  local function ack_ahead(packet, peer)
    return packet.acknowledges and peer.next_seq and seq_diff(packet.ack, peer.next_seq) or nil
  end

  local function ack_step(packet, side)
    local last_acknowledges = side.last_flags and FLAG_SETS[side.last_flags].acknowledges
    return packet.acknowledges and last_acknowledges and seq_diff(packet.ack, side.last_ack) or nil
  end

  local function acked_bytes(packet, peer)
    return packet.acknowledges and peer.isn and seq_diff(packet.ack, peer.isn) - 1 or nil
  end

  -- The limit is needed: without ACK the field is 0, and a firewall that shifts numbers makes any number of it.
  local function ack_unflagged(packet, peer)
    if packet.acknowledges or packet.ack == 0 or not peer.next_seq then
      return false
    end
    return math.abs(seq_diff(packet.ack, peer.next_seq)) <= THRESHOLDS.seq_reach
  end

  -- A reset without ACK takes its number from the acknowledgement of what it answers (RFC 9293 section 3.10.7.1).
  local function answers_earlier(packet, peer)
    if packet.acknowledges or not peer.acked then
      return false
    end
    local past_acked = seq_diff(packet.seq, peer.acked)
    return past_acked < 0 and past_acked >= -THRESHOLDS.seq_reach
  end

  -- Time since the last byte that the packet acknowledges was first captured.
  local function acked_us(packet, peer)
    if not packet.acknowledges then
      return nil
    end
    local in_flight = peer.in_flight
    for at = 1, #in_flight, 4 do
      if seq_diff(in_flight[at + 1], packet.ack) >= 0 and seq_diff(packet.ack, in_flight[at]) > 0 then
        return elapsed_us(packet.time_us, in_flight[at + 2])
      end
    end
  end

  -- Time since the last packet of the flow, in either direction.
  local function idle_us(packet, side, peer)
    local since_own = side.last_us and elapsed_us(packet.time_us, side.last_us)
    local since_peer = peer.last_us and elapsed_us(packet.time_us, peer.last_us)
    if since_own and since_peer then
      return math.min(since_own, since_peer)
    end
    return since_own or since_peer
  end

  local function response_us(packet, peer)
    return acked_us(packet, peer) or (peer.last_us and elapsed_us(packet.time_us, peer.last_us))
  end

  -- Whether the IP ID is copied from the peer's last packet.
  local function id_mirrored(packet, peer, step)
    if packet.ip_id and peer.last_id then
      local own_next = step and step <= OWN_RUN
      return packet.ip_id ~= 0 and packet.ip_id == peer.last_id and not own_next
    end
  end

  -- Whether the window is copied from the peer's last packet.
  local function window_mirrored(packet, side, peer)
    local window = packet.window
    if peer.last_window then
      return window ~= 0 and window == peer.last_window and window ~= side.last_window
    end
  end

  -- Whether the reserved bits are copied from the peer's last packet.
  local function reserved_mirrored(packet, peer)
    local reserved = reserved_bits(packet.flags)
    if peer.last_window then
      return reserved ~= 0 and reserved == reserved_bits(peer.last_flags)
    end
  end

  local function id_step(packet, side)
    return packet.ip_id and side.last_id and (packet.ip_id - side.last_id) % 65536
  end

  local function own_id_step(side)
    return side.last_id and side.before_last_id and (side.last_id - side.before_last_id) % 65536
  end

  local function ts_step(packet, side)
    return packet.tsval and side.last_tsval and seq_diff(packet.tsval, side.last_tsval)
  end

  local function ts_missing(packet, side)
    return not packet.tsval and established(side) and side.last_has_ts
  end

  -- Whether the peer's last packet went to the MAC address that the reset comes from.
  local function mac_addressed(mac, peer)
    if not mac or not peer.last_us then
      return false
    elseif peer.last_link then
      return mac == destination_mac(peer.last_link)
    end
  end

  -- Stores a new reset with its context, and counts it on its side of the flow.
  local function take_reset(packet, side)
    local flow, peer, sender_had_sent = side.flow, side.peer, side.hop_limits[1] ~= nil
    side.recent_resets, side.reset_hop_limits = side.recent_resets or {}, side.reset_hop_limits or {}
    side.bare_reset_hop_limits = side.bare_reset_hop_limits or {}
    local original = duplicate_of(packet, side)
    local ahead, step = seq_ahead(packet, side, peer), id_step(packet, side)
    local in_flight, values = peer.in_flight, #peer.in_flight
    local src, mac = source_of(packet.key), packet.link and source_mac(packet.link)
    decode_reset()
    local reset = {
      frame = packet.frame,
      key = packet.key,
      df = packet.df,
      tos = packet.tos,
      flow_label = packet.flow_label,
      options_len = packet.options_len,
      payload_kind = packet.payload_kind,
      f5_trailer = packet.f5_trailer,
      stated_cause = packet.stated_cause,
      stated_reason = packet.stated_reason,
      stated_enterprise = packet.stated_enterprise,
      mac = mac,
      time_us = packet.time_us,
      seq = packet.seq,
      ack = packet.ack,
      flags = packet.flags,
      acknowledges = packet.acknowledges,
      window = packet.window,
      ip_id = packet.ip_id,
      payload_len = packet.payload_len,
      tsval = packet.tsval,
      hop_limit = packet.hop_limit,
      ip_id_run = join_ip_id_run(packet, src, step),
      previous_reset = flow.last_reset, -- the resets of a flow form a chain, the last one first
      sender_had_sent = sender_had_sent,
      in_flight_end = in_flight[values - 2],
      in_flight_us = values > 0 and elapsed_us(packet.time_us, in_flight[values - 1]) or nil,
      -- The observables of the context
      stage = stage_of(flow),
      sender_is_initiator = sender_is_initiator(flow, side),
      syn_only = syn_only(side, sender_had_sent),
      established = established(side),
      fin_before = side.fin or peer.fin or false,
      after_end = original and original.after_end,
      crossed_fin = crossed_fin(side, peer),
      resets_before = original and original.resets_before or side.resets,
      own_resets_before = original and original.own_resets_before or own_resets(side, side.reset_hop_limits),
      peer_resets_before = peer.resets,
      peer_reset_gap_us = peer_reset_gap_us(packet, peer),
      seq_ahead = ahead,
      seq_step = side.next_seq and seq_diff(packet.seq, side.next_seq),
      seq_foreign = seq_foreign(sender_had_sent, ahead),
      ack_ahead = ack_ahead(packet, peer),
      ack_step = ack_step(packet, side),
      acked_bytes = acked_bytes(packet, peer),
      ack_unflagged = ack_unflagged(packet, peer),
      answers_earlier = answers_earlier(packet, peer),
      acked_us = acked_us(packet, peer),
      idle_us = idle_us(packet, side, peer),
      silence_us = silence_us(idle_us(packet, side, peer), peer.preceding_gap_us),
      response_us = response_us(packet, peer),
      peer_run_us = peer.packet_burst_us and elapsed_us(packet.time_us, peer.packet_burst_us),
      peer_pause_us = peer.preceding_gap_us,
      id_mirrored = id_mirrored(packet, peer, step),
      window_mirrored = window_mirrored(packet, side, peer),
      reserved_mirrored = reserved_mirrored(packet, peer),
      id_step = step,
      own_id_step = own_id_step(side),
      own_window = side.last_window,
      ts_step = ts_step(packet, side),
      ts_missing = ts_missing(packet, side),
      mac_addressed = mac_addressed(mac, peer),
    }
    if not original then
      reset.after_end = after_end(packet, side, peer)
      note_end(reset, side)
      count_silence(reset, src)
    end
    reset.burst = original and original.burst or join_burst(reset, side)
    resets[packet.frame] = pack(RESET, reset)
    join_origin(packet, src, side)
    flow.last_reset, side.last_reset = packet.frame, packet.frame
    flow.ever_reset, side.ever_reset = true, true
    if not original then
      side.resets = side.resets + 1
      add_to_tally(side.reset_hop_limits, packet.hop_limit, packet.frame)
      if not packet.acknowledges then
        add_to_tally(side.bare_reset_hop_limits, packet.hop_limit, packet.frame)
      end
    end
    push(side.recent_resets, packet.frame, REMEMBERED_RESETS)
  end

  -- Follows a new frame: TCP, or neither TCP nor an ICMP error.
  function follow(packet)
    if packet.kind == TCP then
      local side = side_for(packet)
      if packet.reset then
        take_reset(packet, side)
      else
        take_authentic(side, packet.frame, packet.time_us, packet.key, packet.hop_limit, packet.link, packet.flag_set,
          packet.seq, packet.ack, packet.payload_len, packet.window, packet.ip_id, packet.tsval)
      end
      return
    end
    local src, link = packet.src, packet.link
    local host = host_of(src)
    if packet.hop_limit >= MIN_OTHER_HOP_LIMIT then
      add_to_tally(host.other, packet.hop_limit, packet.frame)
    end
    host.last_frame, host.last_us = packet.frame, packet.time_us
    if link and link ~= host.last_link then
      add_link(host, src, link)
    end
  end

  function forget_resets()
    resets, bursts = {}, {}
    forget_silences()
  end
end

local observe_translation, forget_counterparts
do
  -- Counterparts: flows that are one connection under two addresses, because a device translates one (NAT) --------

  -- Two flows that share an end are one connection if their streams stand no further apart than this (bytes). Where
  -- more flows than this share one end, as in a port scan, none are compared.
  local SAME_STREAM_REACH, MAX_SHARED_END = 65536, 32

  local alternatives = {} -- by a shared end: the flows that may be counterparts of others, with how far they had come
  local translated = {} -- addresses that are translated, or stand for others
  local searched_at = 0 -- the last frame when they were searched

  -- The ends of a flow by the key of one side: the end with the higher port is taken for the client's. Nil where the
  -- ports are equal. `by_client` is what flows share if the server's address is translated: the client's end;
  -- `by_server` if the client's is: the server's end and the client's port.
  local function ends_by_port(key)
    local width = (#key - 4) / 2
    local src, dst = sub(key, 1, width), sub(key, width + 1, 2 * width)
    local s1, s2, d1, d2 = byte(key, -4, -1)
    local sport, dport = s1 * 256 + s2, d1 * 256 + d2
    if sport == dport then
      return nil
    end
    local ends = { from_client = sport > dport, client = src, server = dst }
    local client_port, server_port = sub(key, -4, -3), sub(key, -2)
    if sport < dport then
      ends.client, ends.server, client_port, server_port = dst, src, server_port, client_port
    end
    ends.by_client = ends.client .. client_port
    ends.by_server = ends.server .. server_port .. client_port
    return ends
  end

  -- How far the stream of a side had come: what its peer acknowledged, or else what it sent.
  local function came_to(side, peer)
    if peer.acked or side.next_seq then
      return peer.acked or side.next_seq
    end
    local seq = side.last_reset and unpacked_reset(side.last_reset).seq
    return seq ~= 0 and seq or nil
  end

  -- Adds a flow to those that share an end with flows with resets.
  local function add_alternative(key, flow)
    local ends = ends_by_port(key)
    local client, server = flow.side, flow.peer
    if not ends.from_client then
      client, server = server, client
    end
    local of_client, of_server = server.last_ack or server.prior_ack, client.last_ack or client.prior_ack
    if not of_client and not of_server then
      return
    end
    for shared, other in pairs { [ends.by_client] = ends.server, [ends.by_server] = ends.client } do
      local flows = alternatives[shared]
      if flows then
        flows[#flows + 1] = {
          other = other,
          of_client = of_client,
          of_server = of_server,
          client_reset = client.ever_reset or false,
          server_reset = server.ever_reset or false,
        }
      end
    end
  end

  local function is_near(one, other)
    return not one or not other or math.abs(seq_diff(one, other)) <= SAME_STREAM_REACH
  end

  -- Whether at least one stream of the two flows is known in both, and all that are so stand near each other.
  local function same_streams(of_client, of_server, other)
    local known = (of_client and other.of_client) or (of_server and other.of_server)
    return known and is_near(of_client, other.of_client) and is_near(of_server, other.of_server)
  end

  -- The flows with the end `shared` that have another address than the flow's own, and the same streams.
  local function counterparts(shared, own, of_client, of_server)
    local found, flows = {}, alternatives[shared] or {}
    if #flows > MAX_SHARED_END then
      return found
    end
    for _, each in ipairs(flows) do
      if each.other ~= own and same_streams(of_client, of_server, each) then
        found[#found + 1] = each
        translated[own], translated[each.other] = true, true
      end
    end
    return found
  end

  -- What the counterparts of the flow of a reset show: the observables `sender_translated`, `peer_translated`,
  -- `untranslated` and `sender_leaked`.
  local function translation_of(reset)
    local ends = ends_by_port(reset.key)
    if not ends then
      return false, false, false, false
    end
    local client, server, sender = reset.side, reset.peer, "client"
    if not ends.from_client then
      client, server, sender = server, client, "server"
    end
    local of_client, of_server = came_to(client, server), came_to(server, client)
    local of_sender = counterparts(ends.by_server, ends.client, of_client, of_server)
    local of_peer = counterparts(ends.by_client, ends.server, of_client, of_server)
    if not ends.from_client then
      of_sender, of_peer = of_peer, of_sender
    end
    local reset_there, leaked = false, false
    for _, found in ipairs { of_sender, of_peer } do
      for _, each in ipairs(found) do
        reset_there = reset_there or each[sender .. "_reset"]
        leaked = leaked or (found == of_sender and not each["of_" .. sender])
      end
    end
    return #of_sender > 0, #of_peer > 0, #of_sender + #of_peer > 0 and not reset_there, leaked
  end

  -- Whether some flow with the end `shared` has another address than the flow's own.
  local function has_alternative(shared, own)
    for _, each in ipairs(alternatives[shared]) do
      if each.other ~= own then
        return true
      end
    end
    return false
  end

  -- Searches all flows for those that share an end with flows with resets. That takes long, so while a capture is read
  -- for the first time (the verdicts are provisional), it is done only once the capture has grown by half.
  local function search()
    if searched_at == last_frame or (reading and 2 * last_frame < 3 * searched_at) then
      return
    end
    alternatives, translated, searched_at = {}, {}, last_frame
    for frame in pairs(resets) do
      local ends = ends_by_port(unpacked_reset(frame).key)
      if ends then
        alternatives[ends.by_client], alternatives[ends.by_server] = {}, {}
      end
    end
    each_flow(function(key)
      local ends = ends_by_port(key)
      return ends and (alternatives[ends.by_client] or alternatives[ends.by_server])
    end, add_alternative)
    for frame in pairs(resets) do
      local ends = ends_by_port(unpacked_reset(frame).key)
      if ends and (has_alternative(ends.by_client, ends.server) or has_alternative(ends.by_server, ends.client)) then
        translation_of(reset_of(frame))
      end
    end
  end

  -- The observables of translated addresses.
  function observe_translation(o, reset, src)
    search()
    o.sender_translated, o.peer_translated, o.untranslated, o.sender_leaked = translation_of(reset)
    o.host_translated = translated[src] or false
  end

  function forget_counterparts()
    alternatives, translated, searched_at = {}, {}, 0
  end
end

local errors, refusing, refusal, take_error
do
  -- ICMP errors: what they say and quote, and the state when they passed ----------------------------------------

  -- An error quotes the packet that it rejects, the probe. Such a frame holds several IP headers: those of tunnels
  -- around the error, the error's own, and the quoted ones.

  local PROTOCOL_UDP = 17
  local ICMP_REDIRECT = 5 -- rejects nothing, so it is not judged

  -- Next headers that are IPv6 extension headers (IANA)
  local IPV6_EXTENSIONS = {}
  for _, number in ipairs { 0, 43, 44, 51, 60, 135, 139, 140 } do
    IPV6_EXTENSIONS[number] = true
  end

  -- Class and name of errors, by IP version and then by type * 256 + code.
  local ICMP_MEANINGS = {
    [4] = {
      [768] = { "unreachable", "network unreachable" },
      [769] = { "unreachable", "host unreachable" },
      [770] = { "port", "protocol unreachable" },
      [771] = { "port", "port unreachable" },
      [772] = { "path", "fragmentation needed but forbidden" },
      [773] = { "path", "source route failed" },
      [774] = { "unreachable", "destination network unknown" },
      [775] = { "unreachable", "destination host unknown" },
      [776] = { "unreachable", "source host isolated" },
      [777] = { "prohibited", "network administratively prohibited" },
      [778] = { "prohibited", "host administratively prohibited" },
      [779] = { "unreachable", "network unreachable for this type of service" },
      [780] = { "unreachable", "host unreachable for this type of service" },
      [781] = { "prohibited", "communication administratively prohibited" },
      [782] = { "path", "host precedence violation" },
      [783] = { "path", "precedence cutoff in effect" },
      [1024] = { "path", "source quench" },
      [2816] = { "path", "time to live exceeded in transit" },
      [2817] = { "path", "fragment reassembly time exceeded" },
      [3072] = { "path", "parameter problem" },
      [3073] = { "path", "required option missing" },
      [3074] = { "path", "bad length" },
    },
    [6] = {
      [256] = { "unreachable", "no route to destination" },
      [257] = { "prohibited", "communication administratively prohibited" },
      [258] = { "path", "beyond scope of source address" },
      [259] = { "unreachable", "address unreachable" },
      [260] = { "port", "port unreachable" },
      [261] = { "prohibited", "source address failed ingress or egress policy" },
      [262] = { "prohibited", "reject route to destination" },
      [263] = { "path", "error in source routing header" },
      [264] = { "path", "headers too long" },
      [512] = { "path", "packet too big" },
      [768] = { "path", "hop limit exceeded in transit" },
      [769] = { "path", "fragment reassembly time exceeded" },
      [1024] = { "path", "erroneous header field" },
      [1025] = { "port", "unrecognized next header" },
      [1026] = { "path", "unrecognized option" },
      [1027] = { "path", "first fragment has an incomplete header chain" },
      [1028] = { "path", "segment routing upper-layer header error" },
      [1029] = { "path", "unrecognized next header at an intermediate node" },
      [1030] = { "path", "extension header too big" },
      [1031] = { "path", "extension header chain too long" },
      [1032] = { "path", "too many extension headers" },
      [1033] = { "path", "too many options in an extension header" },
      [1034] = { "path", "option too big" },
    },
  }

  errors = {} -- the context of each ICMP error, by frame
  refusing = {} -- sources and targets of errors of the classes "prohibited" and "port"

  -- How many of the headers from index `first` to `last` carry `protocol`.
  local function count_headers(field, protocol, first, last)
    local found = 0
    for index, info in ipairs { field() } do
      if index >= first and index <= last and info.value == protocol then
        found = found + 1
      end
    end
    return found
  end

  -- Reads the ports of the quoted packet. True if it carries `protocol`, or may do so behind an extension header.
  local function quoted_ports(quoted, next_header, protocol, sports, dports, outer)
    local sport, dport = value(sports, outer + 1), value(dports, outer + 1)
    if next_header == protocol or (IPV6_EXTENSIONS[next_header or -1] and sport) then
      quoted.sport, quoted.dport = sport or 0, dport or 0
      return true
    end
  end

  local function quoted_protocol(quoted, next_header, tcp_before, udp_before)
    if quoted_ports(quoted, next_header, PROTOCOL_TCP, read.sport, read.dport, tcp_before) then
      return "tcp"
    elseif quoted_ports(quoted, next_header, PROTOCOL_UDP, read.udp_sport, read.udp_dport, udp_before) then
      return "udp"
    elseif next_header == PROTOCOL_ICMP or next_header == PROTOCOL_ICMPV6 then
      return "icmp"
    end
    return "other"
  end

  -- Type, code and quoted packet of the error; nil for a redirect.
  local function decode_error(packet)
    local ipv4 = value(read.icmp_type) ~= nil
    local error = {
      type = ipv4 and value(read.icmp_type) or value(read.icmpv6_type),
      code = value(ipv4 and read.icmp_code or read.icmpv6_code),
      sport = 0,
      dport = 0,
    }
    if packet.ipv4 and error.type == ICMP_REDIRECT then
      return nil
    end
    local own, other = read.ip_proto, read.ipv6_nxt
    if not ipv4 then
      own, other = other, own
    end
    local carrying = position(own, ipv4 and PROTOCOL_ICMP or PROTOCOL_ICMPV6) or 1
    local index = carrying + 1
    error.quoted_src = address(ipv4 and read.ip_src or read.ipv6_src, index)
    error.quoted_dst = address(ipv4 and read.ip_dst or read.ipv6_dst, index)
    error.quoted_hop_limit = value(ipv4 and read.ip_ttl or read.ipv6_hlim, index)
    local before, all = carrying - 1, math.huge
    local tcp_before = count_headers(own, PROTOCOL_TCP, 1, before) + count_headers(other, PROTOCOL_TCP, 1, all)
    local udp_before = count_headers(own, PROTOCOL_UDP, 1, before) + count_headers(other, PROTOCOL_UDP, 1, all)
    error.protocol = quoted_protocol(error, value(own, index), tcp_before, udp_before)
    local meaning = ICMP_MEANINGS[packet.ipv4 and 4 or 6][error.type * 256 + (error.code or -1)]
    error.class = meaning and meaning[1] or "unknown"
    error.name = meaning and meaning[2]
      or string.format("type %d code %s", error.type, error.code and string.format("%d", error.code) or "unknown")
    return error
  end

  -- The stage of the TCP flow that the error is about.
  local function quoted_stage(error)
    if error.protocol ~= "tcp" or not (error.quoted_src and error.quoted_dst) then
      return "unknown"
    end
    local key = error.quoted_src .. error.quoted_dst .. port_bytes(error.sport) .. port_bytes(error.dport)
    local side = known_side(key)
    return side and stage_of(side.flow) or "unknown"
  end

  -- Source and target of an error, as one key.
  function refusal(from, error)
    return from.src .. "|" .. (error.quoted_dst or "")
  end

  -- Stores a new error with its context.
  function take_error(packet)
    local error = decode_error(packet)
    if not error then
      return
    end
    if error.class == "prohibited" or error.class == "port" then
      refusing[refusal(packet, error)] = true
    end
    local target = known_host(error.quoted_dst)
    errors[packet.frame] = {
      frame = packet.frame,
      time_us = packet.time_us,
      ip_version = packet.ipv4 and 4 or 6,
      src = packet.src,
      dst = packet.dst,
      hop_limit = packet.hop_limit,
      error = error,
      stage = quoted_stage(error),
      target_us = target.last_us,
    }
  end
end

local observe_error
do
  -- Observables of an ICMP error: who rejected a packet, and where ------------------------------------------------

  -- A packet with this hop limit or less is rejected because its hops are used up.
  local USED_UP = 1

  local function observe_target(o, context, error)
    local host = known_host(error.quoted_dst)
    local order, packets, most = host_distances(host)
    local baseline = host_baseline(host)
    o.target_packets = packets
    o.target_distance = baseline and distance(baseline)
    o.target_nearest = nearest(0, order)
    o.target_share = share(most, packets)
    o.target_gap = nearest(o.distance, order)
    o.target_idle_us = context.target_us and elapsed_us(context.time_us, context.target_us)
    o.target_after = (host.last_frame or 0) > context.frame
    o.port_answers = error.protocol == "tcp"
      and contains_item(host.accepting_ports, error.quoted_dst, port_bytes(error.dport))
  end

  local function observe_source(o, context, error)
    local host = known_host(context.src)
    local order, packets, most = host_distances(host)
    o.hop_baseline = host_baseline(host)
    o.source_packets = packets
    o.source_share = share(most, packets)
    o.source_gap = nearest(o.distance, order)
    o.source_refuses = refusing[refusal(context, error)] or false
  end

  -- The hops that the probe had travelled. A hop limit that is used up, as traceroute sends it, does not say.
  local function travelled(quoted)
    return quoted and quoted > USED_UP and distance(quoted) or nil
  end

  -- The hop limit that the probe may have had at the capture point: the largest that has the same initial hop limit.
  local function started_from(quoted, values)
    local started
    for _, hop_limit in ipairs(values) do
      local fits = hop_limit >= quoted and hop_limit + distance(hop_limit) == quoted + distance(quoted)
      if fits and (not started or hop_limit > started) then
        started = hop_limit
      end
    end
    return started
  end

  -- One tally of two.
  local function merged_tally(one, other)
    local merged = { table.unpack(one) }
    for at = 1, #other, 3 do
      local here = 1
      while merged[here] and merged[here] ~= other[at] do
        here = here + 3
      end
      merged[here], merged[here + 2] = other[at], merged[here + 2] or other[at + 2]
      merged[here + 1] = (merged[here + 1] or 0) + other[at + 1]
    end
    return merged
  end

  local function observe_prober(o, error)
    local host, quoted = known_host(error.quoted_src), error.quoted_hop_limit
    local tally, others = merged_tally(host.tcp, host.syns), host.other
    if error.protocol ~= "tcp" then
      tally, others = others, tally
    end
    tally = #tally > 0 and tally or others
    local packets = tally_total(tally)
    o.probe_packets = packets
    if not quoted then
      return
    end
    o.probe_hop_limit = started_from(quoted, tally_values(tally))
    if packets == 0 then
      o.quoted_beyond = travelled(quoted)
    else
      o.quoted_beyond = o.probe_hop_limit and o.probe_hop_limit - quoted
    end
    o.quoted_short = o.target_nearest and o.quoted_beyond and o.target_nearest - o.quoted_beyond
  end

  -- All observables of an ICMP error. Those that the capture does not give are nil.
  function observe_error(context)
    local error = context.error
    local o = {
      ip_version = context.ip_version,
      icmp_type = error.type,
      icmp_code = error.code,
      icmp_name = error.name,
      icmp_class = error.class,
      hop_limit = context.hop_limit,
      distance = distance(context.hop_limit),
      quoted_hop_limit = error.quoted_hop_limit,
      quoted_travelled = travelled(error.quoted_hop_limit),
      quoted_protocol = error.protocol,
      stage = context.stage,
      from_target = error.quoted_dst and context.src == error.quoted_dst,
      to_prober = error.quoted_src and context.dst == error.quoted_src,
      source_unspecified = context.src == string.rep("\0", #context.src),
    }
    observe_target(o, context, error)
    observe_source(o, context, error)
    observe_prober(o, error)
    return o
  end
end

local observe, baseline_frame
do
  -- Observables of a reset --------------------------------------------------------------------------------------

  -- A segment in flight for less than this share of a round trip, in percent, and for so much less than all of it, has
  -- not arrived.
  local ON_ITS_WAY_SHARE, ON_ITS_WAY_US = 80, 1000

  -- So many resets of a burst count up if their windows do.
  local MIN_COUNTING = 3

  -- So many stray packets of a device may stand in other flows of the host.
  local STRAY_ELSEWHERE = 3

  local function distances(values)
    local hops = {}
    for index, hop_limit in ipairs(values) do
      hops[index] = distance(hop_limit)
    end
    return hops
  end

  local function count_values(values)
    local set = new_set()
    for _, each in ipairs(values) do
      include(set, each)
    end
    return set.size
  end

  local function observe_header(o, reset)
    o.ip_version = #reset.key == 12 and 4 or 6
    o.hop_limit = reset.hop_limit
    o.distance = distance(reset.hop_limit)
    o.ip_id = reset.ip_id
    o.tos = reset.tos
    o.flow_label = reset.flow_label
    o.window = reset.window
    o.payload_len = reset.payload_len
    o.options_len = reset.options_len
    o.reserved_bits = reserved_bits(reset.flags)
    o.df = reset.df
    o.has_ack = reset.acknowledges
    o.payload_kind = reset.payload_kind
    o.f5_trailer = reset.f5_trailer
    o.stated_cause = reset.stated_cause
    o.stated_reason = reset.stated_reason
    o.stated_enterprise = reset.stated_enterprise
    o.netscaler_code = netscaler_meaning(reset.window)
  end

  local function observe_baseline(o, side, peer, host)
    local counts, handshake_counts, hop_limit = own_hop_limits(side), side.handshake_hop_limits, o.hop_limit
    local values = tally_values(counts)
    local baseline = most_frequent(counts)
    o.baseline_source = "flow"
    if not baseline then
      baseline = host_baseline(host)
      o.baseline_source = baseline and "host" or "none"
    end
    o.hop_baseline = baseline
    o.hop_delta = baseline and hop_limit - baseline
    o.baseline_distance = baseline and distance(baseline)
    local of_peer = most_frequent(peer.hop_limits)
    o.peer_distance = of_peer and distance(of_peer)
    o.flow_packets = tally_total(side.hop_limits)
    o.flow_values = #values
    o.match_packets = tally_count(side.hop_limits, hop_limit)
    o.stray_packets = stray_packets(side, hop_limit)
    o.hop_gap = nearest(hop_limit, values)
    o.distance_gap = nearest(o.distance, distances(values))
    o.handshake_gap = handshake_counts and math.abs(hop_limit - handshake_counts[1])
    local after_handshake = {}
    for _, of_packets in ipairs(values) do
      local in_handshake = handshake_counts and tally_count(handshake_counts, of_packets) or 0
      if tally_count(counts, of_packets) > in_handshake then
        after_handshake[#after_handshake + 1] = of_packets
      end
    end
    o.data_gap = nearest(hop_limit, after_handshake)
  end

  -- A distance that only stray packets show is none of the host's; others of them may stand in other flows.
  local function observe_host(o, host)
    local stray = o.stray_packets
    local order, packets, most = host_distances(host, stray > 0 and o.distance or nil, stray + STRAY_ELSEWHERE)
    o.host_packets = tally_total(host.tcp) + tally_total(host.other)
    o.host_values = #order
    o.host_share = share(most, packets)
    o.host_gap = nearest(o.distance, order)
    o.syn_values = count_values(distances(tally_values(host.syns)))
  end

  -- The flow's own round trip, or the host's if that is shorter or the only one: a short one accuses nobody. It is
  -- confirmed if a second measurement of the same kind is at most half as long again.
  local function observe_round_trip(o, side, host)
    local of_flow = side.handshake_timed
    o.rtt_source = of_flow and "flow" or host.handshake_timed and "host" or "none"
    local rtt_us, second_us = of_flow and side.least_us, of_flow and side.second_us
    if host.least_us and (not rtt_us or host.least_us < rtt_us) then
      rtt_us = host.least_us
    end
    if rtt_us then
      o.rtt_us = rtt_us
      o.rtt_confirmed = (second_us and 2 * second_us <= 3 * rtt_us)
        or (host.second_us and 2 * host.second_us <= 3 * rtt_us)
        or false
    end
  end

  -- The observables of the context (the lines are generated from the vocabulary of the rulebook).
  local function observe_context(o, reset)
    o.acked_us = reset.acked_us
    o.idle_us = reset.idle_us
    o.peer_run_us = reset.peer_run_us
    o.peer_pause_us = reset.peer_pause_us
    o.response_us = reset.response_us
    o.stage = reset.stage
    o.sender_is_initiator = reset.sender_is_initiator
    o.syn_only = reset.syn_only
    o.established = reset.established
    o.seq_foreign = reset.seq_foreign
    o.fin_before = reset.fin_before
    o.answers_earlier = reset.answers_earlier
    o.resets_before = reset.resets_before
    o.own_resets_before = reset.own_resets_before
    o.peer_resets_before = reset.peer_resets_before
    o.peer_reset_gap_us = reset.peer_reset_gap_us
    o.ack_ahead = reset.ack_ahead
    o.acked_bytes = reset.acked_bytes
    o.ack_step = reset.ack_step
    o.seq_ahead = reset.seq_ahead
    o.seq_step = reset.seq_step
    o.after_end = reset.after_end
    o.crossed_fin = reset.crossed_fin
    o.silence_us = reset.silence_us
    o.id_mirrored = reset.id_mirrored
    o.window_mirrored = reset.window_mirrored
    o.reserved_mirrored = reset.reserved_mirrored
    o.ts_missing = reset.ts_missing
    o.ack_unflagged = reset.ack_unflagged
    o.id_step = reset.id_step
    o.own_id_step = reset.own_id_step
    o.own_window = reset.own_window
    o.ts_step = reset.ts_step
    o.mac_addressed = reset.mac_addressed
  end

  -- Whether the handshake shows that the sender runs Linux. Behind a SYN proxy, other packets have a hop limit that no
  -- packet of the handshake has.
  local function handshake_linux(side)
    if not side.handshake_linux then
      return false
    end
    for _, hop_limit in ipairs(tally_values(own_hop_limits(side))) do
      if tally_count(side.handshake_hop_limits, hop_limit) == 0 then
        return false
      end
    end
    return true
  end

  -- Fingerprints of the two hosts in their SYNs or SYN-ACKs.
  local function observe_handshakes(o, side, peer)
    o.opening_df = side.syn_df
    o.opening_label = side.syn_label
    o.opening_linux = handshake_linux(side)
    o.opening_window = side.syn_window
    o.peer_syn_tos = peer.syn_tos
  end

  -- A host that accepts a SYN has a sequence number of its own, so only another host resets it with 0. A SYN that was
  -- sent again may have found the service up the second time.
  local function refuses_accepted(reset)
    local peer = reset.peer
    local refuses = reset.acknowledges and reset.seq == 0 and peer.handshake_answered or false
    return refuses and peer.handshake_transmissions == 1 and acknowledges_syn(reset, peer)
  end

  -- How long after its own reset the sender's side of the conversation moved on past it, if it did. A reset far outside
  -- the sender's sequence space answers something old and ends nothing. A SYN begins a new flow.
  local function continued_us(reset)
    local side, flow, time_us = reset.side, reset.flow, reset.time_us
    if not side.advanced_us or side.advanced_us <= time_us then
      return nil
    end
    if flow.last_syn_us and flow.last_syn_us > time_us then
      return nil
    end
    if reset.sender_had_sent and (reset.seq_foreign or seq_diff(side.advanced_seq, reset.seq) < 0) then
      return nil
    end
    return side.advanced_us - time_us
  end

  -- If the sender acknowledges the bytes that were in flight to it when the reset passed: the age that these had then.
  local function overtaken_us(reset)
    local acked = reset.side.acked
    if not reset.in_flight_end or not acked or seq_diff(acked, reset.in_flight_end) < 0 then
      return nil
    end
    return reset.in_flight_us
  end

  -- The sender went on after its own reset: too late for a reordered packet, or with later knowledge. Bytes need a
  -- round trip of the capture point to reach the sender before what is captured now leaves it.
  local function continued_after(reset, rtt_us, rtt_confirmed)
    local after_us, age_us = continued_us(reset), overtaken_us(reset)
    if not after_us then
      return false
    end
    if after_us > math.max(rtt_us or 0, THRESHOLDS.speech_wait_us) then
      return true
    end
    if not rtt_confirmed or not age_us or age_us < 0 then
      return false
    end
    return age_us * 100 < rtt_us * ON_ITS_WAY_SHARE and rtt_us - age_us >= ON_ITS_WAY_US
  end

  -- How far the highest of some sequence numbers lies beyond the lowest; `seq` is one of them.
  local function span(seqs, seq)
    local highest, lowest = 0, 0
    for other in pairs(seqs and seqs.has or {}) do
      local beyond = seq_diff(other, seq)
      highest, lowest = math.max(highest, beyond), math.min(lowest, beyond)
    end
    return highest - lowest
  end

  -- Whether a burst has many resets, and the windows of all of them count up by one.
  local function windows_count(burst)
    local least, most = math.huge, -1
    for window in pairs(burst.windows.has) do
      least, most = math.min(least, window), math.max(most, window)
    end
    return burst.size >= MIN_COUNTING and most - least + 1 == burst.windows.size and burst.windows.size == burst.size
  end

  local function observe_burst(o, reset)
    local burst, foreign = burst_of(reset.burst), 0
    local values, own_counts = tally_values(burst.hop_limits), own_hop_limits(reset.side)
    for _, hop_limit in ipairs(values) do
      if tally_count(own_counts, hop_limit) == 0 then
        foreign = foreign + 1
      end
    end
    o.burst_size = burst.size
    o.burst_values = #values
    o.burst_foreign = foreign
    o.burst_seqs = burst.seqs.size
    o.burst_span = span(burst.seqs_by_hop_limit[reset.hop_limit], reset.seq)
    o.burst_ahead = burst.seqs_ahead.size
    o.burst_windows_count = windows_count(burst)
  end

  local function observe_link(o, reset, host, src)
    if host.macs ~= "" then
      o.mac_new = reset.mac and not contains_item(host.macs, src, reset.mac)
      o.mac_shared = mac_owners[src] or false
    end
  end

  local function observe_shared_origin(o, reset, src)
    local shared = shared_origin_of(reset.hop_limit, src)
    local origin = summary_of(shared)
    if reset.ip_id_run then
      o.run_senders, o.run_networks = ip_id_run_sizes(reset.ip_id_run, src)
    end
    o.place_senders = origin.senders
    o.place_networks = origin.networks
    o.place_foreign = origin.foreign
    o.place_baselines = origin.baselines
    o.place_native = origin.native
    o.place_rival = origin.rival
    o.place_interrupts = shared.interrupted.has[src] or false
  end

  -- The end reason of a flow with a reset, as a Palo Alto firewall would log it (PAN-OS, "Traffic Log Fields"): a reset
  -- comes before a FIN, and the client's reset before the server's.
  local function end_reason(flow)
    local client = initiator_of(flow) or (flow.side.may_initiate and flow.side or flow.peer)
    return client.resets > 0 and "tcp-rst-from-client" or "tcp-rst-from-server"
  end

  -- The first authentic packet with the hop limit of the baseline; nil if there is no baseline.
  function baseline_frame(reset)
    local _, frame = most_frequent(own_hop_limits(reset.side))
    if not frame then
      _, frame = host_baseline(known_host(source_of(reset.key)))
    end
    return frame
  end

  -- All observables of a reset. Those that the capture does not give are nil.
  function observe(reset)
    local side = reset.side
    local src, sport = ends_of(reset.key)
    local o, host = {}, known_host(src)
    observe_header(o, reset)
    observe_baseline(o, side, reset.peer, host)
    observe_host(o, host)
    observe_round_trip(o, side, host)
    observe_context(o, reset)
    observe_handshakes(o, side, reset.peer)
    o.refuses_accepted = refuses_accepted(reset)
    o.spoke_after = continued_after(reset, o.rtt_us, o.rtt_confirmed)
    o.port_accepts = contains_item(host.accepting_ports, src, port_bytes(sport))
    o.ended_connection = ended_connection(reset)
    o.silent_resets, o.least_silence_us = silences_of(src)
    o.known_timeout = known_timeout(o.least_silence_us or reset.silence_us)
    o.end_reason = end_reason(reset.flow)
    o.own_resets = own_resets(side, side.reset_hop_limits)
    o.own_bare_resets = own_resets(side, side.bare_reset_hop_limits or {})
    observe_burst(o, reset)
    observe_link(o, reset, host, src)
    observe_shared_origin(o, reset, src)
    observe_translation(o, reset, src)
    return o
  end
end

local text, LIMITS, SUSPICION_LIMITS, suspicion_of, judge, flow_verdict, judge_icmp
do
  -- Rules -----------------------------------------------------------------------------------------------------

  -- The value of an observable or a definition in a sentence.
  function text(value_shown)
    if value_shown == nil then
      return "unknown"
    elseif type(value_shown) == "boolean" then
      return value_shown and "yes" or "no"
    elseif type(value_shown) == "number" then
      return string.format("%d", value_shown)
    end
    return value_shown
  end

  -- Microseconds in a unit that people use: 0.03 ms, 0.9 ms, 1.3 ms, 45 ms, 1.27 s, 900 s.
  local function time_text(us)
    if us == nil or us < 0 then
      return text(us)
    elseif us < 5 then
      return "less than 0.01 ms"
    elseif us < 95 then
      return string.format("0.0%d ms", floor((us + 5) / 10))
    elseif us < 10000 then
      local tenths = floor((us + 50) / 100)
      return string.format("%d.%d ms", floor(tenths / 10), tenths % 10)
    elseif us < 999500 then
      return string.format("%d ms", floor((us + 500) / 1000))
    elseif us < 10000000 then
      local hundredths = floor((us + 5000) / 10000)
      return string.format("%d.%02d s", floor(hundredths / 100), hundredths % 100)
    end
    return string.format("%d s", floor((us + 500000) / 1000000))
  end

  -- A number of things: 1 hop, 1,234 hops, an unknown number of hops.
  local function count_text(number, thing)
    if number == nil then
      return "an unknown number of " .. thing .. "s"
    end
    local digits, replaced = string.format("%d", number), 1
    while replaced > 0 do
      digits, replaced = digits:gsub("^(-?%d+)(%d%d%d)", "%1,%2")
    end
    return digits .. " " .. thing .. (number == 1 and "" or "s")
  end

  -- A number in hexadecimal: 0x1a.
  local function hex_text(number)
    return (number == nil or number < 0) and text(number) or string.format("0x%x", number)
  end

  -- Definitions: named conditions and values. What reads a missing observable stays nil.
  local function define(o)
    if o.hop_gap ~= nil and o.distance_gap ~= nil and o.hop_baseline ~= nil then
      o.foreign_hop_limit = o.hop_gap > THRESHOLDS.hop_tolerance and o.distance_gap >= 1
        and o.hop_baseline >= 3 and not o.syn_only and not o.seq_foreign
    end
    o.baseline_sufficient = (o.flow_packets >= 2 or o.host_packets >= THRESHOLDS.baseline_packets)
      and (o.data_gap ~= nil or o.stage ~= "post-syn")
    o.host_has_one_path = o.host_values == 1 and o.host_packets - o.flow_packets >= 12
      and 2 * o.host_packets >= 5 * o.flow_packets
    o.same_path = o.ip_version == 4 or o.flow_label ~= nil and o.opening_label ~= nil
      and (o.flow_label == o.opening_label or o.host_has_one_path)
    if o.hop_gap ~= nil and o.host_gap ~= nil and o.distance ~= nil and o.baseline_distance ~= nil then
      o.one_hop_nearer = o.hop_gap == 1 and o.host_gap >= 1 and o.distance < o.baseline_distance
        and o.same_path
    end
    o.live_connection = o.established and not o.fin_before and o.own_resets_before == 0
      and o.peer_resets_before == 0
    if o.idle_us ~= nil then
      o.live_linux_connection = o.live_connection and o.opening_linux and o.idle_us <= 10000000
    end
    if o.host_share ~= nil then
      o.host_baseline_only = o.flow_packets == 0 and o.host_packets >= THRESHOLDS.baseline_packets
        and o.host_share >= 90
    end
    if o.hop_baseline ~= nil and o.baseline_distance ~= nil then
      o.baseline_tells_distance = o.hop_baseline >= 3 and o.baseline_distance <= 40
    end
    if o.distance ~= nil and o.distance_gap ~= nil and o.baseline_distance ~= nil then
      o.beside_capture_point = o.distance <= 2 and o.distance_gap >= 3
        and o.baseline_distance - o.distance >= 3
    end
    if o.baseline_distance ~= nil and o.distance ~= nil and o.hop_baseline ~= nil then
      o.starts_from_sixty = o.baseline_distance - o.distance == 4 and o.hop_baseline <= 60
        and not o.opening_linux
    end
    o.match_is_firm = o.handshake_gap == nil or o.match_packets >= 4 or o.handshake_gap ~= nil
      and o.handshake_gap <= THRESHOLDS.hop_tolerance
    o.df_or_ipv6 = o.df ~= nil and o.df or o.ip_version == 6
    o.kernel_may_differ = o.has_ack or o.own_bare_resets == 0 or o.ip_version == 6
      or o.hop_gap ~= nil and o.hop_gap <= THRESHOLDS.hop_tolerance
    if o.ip_id ~= nil and o.df ~= nil then
      o.linux_bare_ipv4 = not o.has_ack and o.opening_linux and o.window == 0 and o.ip_id == 0 and o.df
    end
    if o.flow_label ~= nil and o.opening_label ~= nil then
      o.linux_bare_ipv6 = not o.has_ack and o.opening_linux and o.window == 0 and o.flow_label ~= 0
        and o.flow_label ~= o.opening_label
    end
    if o.acked_us ~= nil and o.rtt_us ~= nil then
      o.sooner_than_round_trip = 0 <= o.acked_us * 10 and o.acked_us * 10 < o.rtt_us * 7
        and o.rtt_us - o.acked_us >= 1000
    end
    if o.rtt_us ~= nil and o.acked_us ~= nil then
      o.after_whole_round_trip = o.rtt_us >= 2000 and o.rtt_us * 9 <= o.acked_us * 10
        and o.acked_us * 10 <= o.rtt_us * 13
    end
    if o.rtt_us ~= nil and o.peer_run_us ~= nil and o.peer_pause_us ~= nil then
      o.unprovoked_bare_reset = not o.has_ack and o.live_connection and o.rtt_us >= 4000
        and o.peer_run_us * 2 < o.rtt_us
        and o.peer_run_us + o.peer_pause_us > o.rtt_us * 2
        and not o.answers_earlier
    end
    o.continued_after_bare_reset = o.spoke_after and not o.has_ack and not o.ack_unflagged
      and o.window == 0
    o.netfilter_header = o.ip_id ~= nil and o.df ~= nil and o.ip_id == 0 and o.df
      or o.flow_label ~= nil and o.flow_label == 0
    o.first_abort = o.has_ack and o.established and o.resets_before == 0
    if o.seq_ahead ~= nil then
      o.abort_behind = o.first_abort and -65536 <= o.seq_ahead and o.seq_ahead <= -1
    end
    o.abort_without_timestamp = o.has_ack and o.ts_missing and not o.fin_before and o.resets_before == 0
    if o.seq_ahead ~= nil then
      o.seq_near = math.abs(o.seq_ahead) <= 65536
    end
    if o.opening_window ~= nil then
      o.linux_handshake = o.opening_linux and o.opening_window ~= 0
    end
    if o.own_window ~= nil and o.ack_step ~= nil and o.acked_bytes ~= nil then
      o.window_left = o.own_window >= 48 and (o.ack_step < o.own_window or 0 <= o.acked_bytes
        and o.acked_bytes <= 30000)
    end
    if o.opening_window ~= nil then
      o.linux_recent = o.opening_linux and 60000 <= o.opening_window and o.opening_window <= 65534
    end
    if o.flow_label ~= nil and o.opening_label ~= nil and o.seq_near ~= nil and o.linux_handshake ~= nil then
      o.abort_without_label = o.has_ack and o.flow_label == 0 and o.opening_label ~= 0 and o.seq_near
        and o.established and o.linux_handshake
    end
    if o.id_step ~= nil then
      o.id_step_far = 2000 < o.id_step and o.id_step < 65536 - 2000
    end
    if o.own_id_step ~= nil and o.id_step_far ~= nil and o.seq_step ~= nil then
      o.abort_with_foreign_id = o.has_ack and o.established and 1 <= o.own_id_step
        and o.own_id_step <= 2000 and o.id_step_far
        and math.abs(o.seq_step) <= 65536
    end
    if o.mac_new ~= nil and o.mac_addressed ~= nil then
      o.foreign_mac = o.mac_new and not o.mac_addressed and o.host_packets >= 3
    end
    if o.mac_shared ~= nil and o.baseline_distance ~= nil and o.host_share ~= nil then
      o.sender_on_link = not o.mac_shared and o.baseline_distance == 0 and o.host_share >= 90
    end
    if o.run_senders ~= nil and o.run_networks ~= nil then
      o.shared_ip_id_run = o.run_senders >= 3 and o.run_networks >= 2
    end
    o.foreign_senders_here = o.place_foreign >= 3 and o.place_baselines >= 2 and o.place_native == 0
    o.many_networks_here = o.place_senders >= 8 and o.place_networks >= 4
      and o.place_senders >= 4 * o.place_rival
    if o.hop_limit ~= nil then
      o.netscaler_form = o.netscaler_code ~= nil and o.options_len == 0 and o.payload_len == 0
        and o.hop_limit > 128
    end
    if o.hop_limit ~= nil then
      o.started_from_64 = 32 < o.hop_limit and o.hop_limit <= 64
    end
    if o.idle_us ~= nil then
      o.answers_a_packet = o.idle_us <= 1000000
    end
    if o.ip_id ~= nil and o.id_step ~= nil and o.own_id_step ~= nil then
      o.follows_counter = o.ip_id ~= 0 and 1 <= o.id_step and o.id_step <= 64 and 1 <= o.own_id_step
        and o.own_id_step <= 64
    end
    if o.sender_is_initiator ~= nil and o.own_window ~= nil then
      o.fake_of_client = o.sender_is_initiator and o.spoke_after and o.stage == "post-ack"
        and o.window == o.own_window
    end
    o.dies_on_the_way = o.hop_gap ~= nil and o.hop_limit ~= nil and (o.hop_gap == 0
      or o.hop_limit <= 12) or o.hop_limit == nil
    if o.distance ~= nil and o.hop_gap ~= nil and o.mac_new ~= nil and o.mac_shared ~= nil then
      o.own_interface = o.distance == 0 and o.hop_gap == 0 and not o.mac_new and not o.mac_shared
    end
    o.refuses_undialled = o.peer_translated and o.untranslated and not o.has_ack and o.window == 0
    o.refuses_syn = o.flow_packets == 0 and o.stage == "post-syn" and o.has_ack
    if o.distance ~= nil and o.peer_distance ~= nil then
      o.at_the_router = o.distance == 0 and o.peer_distance >= 1
    end
    if o.distance ~= nil and o.baseline_distance ~= nil then
      o.answers_untranslated = o.sender_translated and o.untranslated and not o.has_ack
        and o.window == 0 and o.distance < o.baseline_distance
    end
  end

  -- The same of ICMP errors.
  local function define_icmp(o)
    if o.target_packets ~= nil and o.target_nearest ~= nil then
      o.target_place_known = o.target_packets >= 3 and o.target_nearest <= 30
    end
  end

  -- Weights in centi-nats: + for "in between", - for "endpoint". A rule that reads a missing observable does not hold.
  local RULES = {
    { -- Hop limit that the sender never uses in this flow
      id = "hop_gap",
      weight = 340,
      holds = function(o)
        return o.foreign_hop_limit ~= nil and o.baseline_distance ~= nil and o.distance ~= nil
          and o.foreign_hop_limit and o.baseline_sufficient and o.baseline_distance <= 40
          and not (2 <= o.distance - o.baseline_distance and o.distance - o.baseline_distance <= 4)
      end,
      say = function(o)
        return "hop limit " .. text(o.hop_limit) .. "; the sender's own packets have " .. text(o.hop_baseline)
      end,
    },
    { -- From a few hops beyond the sender
      id = "hop_gap_further",
      weight = 130,
      holds = function(o)
        return o.foreign_hop_limit ~= nil and o.distance_gap ~= nil and o.distance ~= nil
          and o.baseline_distance ~= nil and o.foreign_hop_limit and o.baseline_sufficient
          and 2 <= o.distance_gap and o.distance_gap <= 3 and o.distance > o.baseline_distance
      end,
      say = function(o)
        return "hop limit " .. text(o.hop_limit) .. "; the sender's own packets have " .. text(o.hop_baseline)
          .. ": " .. count_text(o.distance_gap, "hop")
          .. " further away than the sender, as after a change of route"
      end,
    },
    { -- Hop limit unlike the few packets of the sender
      id = "hop_gap_thin",
      weight = 200,
      holds = function(o)
        return o.foreign_hop_limit ~= nil and o.baseline_distance ~= nil and o.foreign_hop_limit
          and o.flow_packets < 2 and o.host_packets < THRESHOLDS.baseline_packets
          and o.baseline_distance <= 40
      end,
      say = function(o)
        return "hop limit " .. text(o.hop_limit) .. "; the few packets of the sender have " .. text(o.hop_baseline)
      end,
    },
    { -- Hop limit one away from the sender's
      id = "hop_gap_one",
      weight = 30,
      holds = function(o)
        return o.hop_gap ~= nil and 1 <= o.hop_gap and o.hop_gap <= THRESHOLDS.hop_tolerance and not o.syn_only
      end,
      say = function(o)
        return "hop limit " .. text(o.hop_limit) .. "; the sender's own packets have " .. text(o.hop_baseline)
          .. "; a change of route looks the same"
      end,
    },
    { -- One hop before the sender, and not the abort of its socket
      id = "hop_gap_one_bare",
      weight = 150,
      was = { "hop_gap_one_bare_ipv6" },
      holds = function(o)
        return o.one_hop_nearer ~= nil and o.live_linux_connection ~= nil and o.one_hop_nearer
          and o.live_linux_connection and not o.has_ack
      end,
      say = function()
        return "sent one hop before the sender, and without ACK, on an active connection"
      end,
    },
    { -- One hop before the sender, without its timestamps
      id = "hop_gap_one_unstamped",
      weight = 150,
      was = { "hop_gap_one_unstamped_ipv6" },
      holds = function(o)
        return o.one_hop_nearer ~= nil and o.live_linux_connection ~= nil and o.one_hop_nearer
          and o.live_linux_connection and o.has_ack and o.ts_missing and not o.seq_foreign
      end,
      say = function()
        return "sent one hop before the sender, and without the timestamps of its packets, on an "
          .. "active connection"
      end,
    },
    { -- Not from the distance of the sender's host
      id = "hop_gap_host",
      weight = 275,
      holds = function(o)
        return o.host_baseline_only ~= nil and o.host_gap ~= nil and o.baseline_tells_distance ~= nil
          and o.distance ~= nil and o.baseline_distance ~= nil and o.host_baseline_only
          and o.host_gap > THRESHOLDS.hop_tolerance and o.baseline_tells_distance
          and o.distance < o.baseline_distance
      end,
      say = function(o)
        return "sent from " .. count_text(o.distance, "hop") .. " away; "
          .. count_text(o.host_packets, "other packet") .. " of the host came from "
          .. count_text(o.baseline_distance, "hop") .. " away"
      end,
    },
    { -- From beyond the sender's host
      id = "hop_gap_host_further",
      weight = 150,
      holds = function(o)
        return o.host_baseline_only ~= nil and o.host_gap ~= nil and o.hop_baseline ~= nil
          and o.distance ~= nil and o.baseline_distance ~= nil and o.host_baseline_only
          and o.host_gap > THRESHOLDS.hop_tolerance and o.hop_baseline >= 3
          and o.distance > o.baseline_distance and o.distance - o.baseline_distance ~= 4
      end,
      say = function(o)
        return "sent from " .. count_text(o.distance, "hop") .. " away; "
          .. count_text(o.host_packets, "other packet") .. " of the host came from "
          .. count_text(o.baseline_distance, "hop") .. " away, perhaps from a proxy"
      end,
    },
    { -- Sent from near the capture point; the sender is further away
      id = "near_initial",
      weight = 150,
      holds = function(o)
        return o.beside_capture_point ~= nil and o.host_gap ~= nil and o.baseline_tells_distance ~= nil
          and o.starts_from_sixty ~= nil and o.beside_capture_point and o.host_gap >= 1
          and o.baseline_tells_distance and o.own_resets == 0 and not o.syn_only and not o.starts_from_sixty
      end,
      say = function(o)
        return "sent from " .. count_text(o.distance, "hop")
          .. " away, where a device near the capture point sits; the sender is "
          .. count_text(o.baseline_distance, "hop") .. " away"
      end,
    },
    { -- Sent from near the capture point; the host is further away
      id = "near_initial_host",
      weight = 150,
      holds = function(o)
        return o.host_baseline_only ~= nil and o.distance ~= nil and o.host_gap ~= nil
          and o.baseline_tells_distance ~= nil and o.host_baseline_only and o.distance <= 2
          and o.host_gap >= 3 and o.baseline_tells_distance
      end,
      say = function(o)
        return "sent from " .. count_text(o.distance, "hop") .. " away, where a device near the capture point sits"
      end,
    },
    { -- Not from the distance of the flow, but from one of the host
      id = "hop_known_of_host",
      weight = -240,
      holds = function(o)
        return o.hop_gap ~= nil and o.host_gap ~= nil and o.hop_gap > THRESHOLDS.hop_tolerance and o.host_gap == 0
      end,
      say = function(o)
        return "other packets of the host came from " .. count_text(o.distance, "hop")
          .. " away too; the service may use a hop limit of its own"
      end,
    },
    { -- Answers too soon to be as far as its baseline says
      id = "service_hop_limit",
      weight = -300,
      holds = function(o)
        return o.hop_gap ~= nil and o.distance ~= nil and o.baseline_distance ~= nil and o.rtt_us ~= nil
          and o.hop_gap >= 1 and o.distance == 0 and o.baseline_distance >= 3 and o.rtt_us < 12
      end,
      say = function(o)
        return "the sender answers within " .. time_text(o.rtt_us) .. ", so it is not "
          .. count_text(o.baseline_distance, "hop") .. " away; its service uses a hop limit of its own"
      end,
    },
    { -- A whole round trip from a fraction of the way
      id = "late_for_its_place",
      weight = -150,
      holds = function(o)
        return o.distance ~= nil and o.baseline_distance ~= nil and o.rtt_us ~= nil and o.acked_us ~= nil
          and o.distance * 3 < o.baseline_distance and o.rtt_us >= 2000
          and o.rtt_us * 8 <= o.acked_us * 10 and o.acked_us * 10 <= o.rtt_us * 20
      end,
      say = function(o)
        return "came " .. time_text(o.acked_us)
          .. " after the packet that it acknowledges, a whole round trip to the sender ("
          .. time_text(o.rtt_us) .. "), though its hop limit looks much nearer"
      end,
    },
    { -- Hop limit as in the sender's own packets
      id = "hop_match",
      weight = -180,
      holds = function(o)
        return o.hop_gap ~= nil and o.distance ~= nil and o.hop_gap == 0 and o.flow_values <= 2
          and o.distance >= 3 and o.match_is_firm
      end,
      say = function(o)
        return "the sender's own packets have hop limit " .. text(o.hop_limit) .. ", too"
      end,
    },
    { -- Hop limit as in the sender's own packets, from very near
      id = "hop_match_near",
      weight = -90,
      holds = function(o)
        return o.hop_gap ~= nil and o.distance ~= nil and o.hop_gap == 0 and o.flow_values <= 2
          and 1 <= o.distance and o.distance <= 2 and o.match_is_firm
      end,
      say = function(o)
        return "the sender's own packets have hop limit " .. text(o.hop_limit)
          .. ", too; a device this near shows the same"
      end,
    },
    { -- Sender and reset both on this link
      id = "hop_match_local",
      weight = -150,
      holds = function(o)
        return o.hop_gap ~= nil and o.distance ~= nil and o.hop_gap == 0 and o.flow_values <= 2
          and o.distance == 0 and o.match_is_firm
      end,
      say = function(o)
        return "the sender's own packets have hop limit " .. text(o.hop_limit) .. ", too: neither crossed a router"
      end,
    },
    { -- Distance as in the host's other packets
      id = "hop_match_host",
      weight = -200,
      holds = function(o)
        return o.host_baseline_only ~= nil and o.host_gap ~= nil and o.distance ~= nil
          and o.host_baseline_only and o.host_gap == 0 and o.distance >= 3
      end,
      say = function(o)
        return "sent from " .. count_text(o.distance, "hop") .. " away, like "
          .. count_text(o.host_packets, "other packet") .. " of the host"
      end,
    },
    { -- Host and reset both on this link
      id = "hop_match_host_local",
      weight = -100,
      holds = function(o)
        return o.host_baseline_only ~= nil and o.host_gap ~= nil and o.distance ~= nil
          and o.host_baseline_only and o.host_gap == 0 and o.distance == 0
      end,
      say = function(o)
        return "hop limit " .. text(o.hop_limit) .. " crossed no router, like "
          .. count_text(o.host_packets, "other packet") .. " of the host"
      end,
    },
    { -- Distance as in the host's other packets, from very near
      id = "hop_match_host_near",
      weight = -80,
      holds = function(o)
        return o.host_baseline_only ~= nil and o.host_gap ~= nil and o.distance ~= nil
          and o.host_baseline_only and o.host_gap == 0 and 1 <= o.distance and o.distance <= 2
      end,
      say = function(o)
        return "sent from " .. count_text(o.distance, "hop") .. " away, like "
          .. count_text(o.host_packets, "other packet") .. " of the host; a device this near shows the same"
      end,
    },
    { -- Kernel of a raw-socket scanner
      id = "raw_scanner",
      weight = -150,
      holds = function(o)
        return o.syn_only and not o.has_ack and o.syn_values >= 5
      end,
      say = function(o)
        return "the sender's SYNs come with " .. text(o.syn_values)
          .. " different distances, so it makes them itself, and its kernel knows nothing of " .. "them"
      end,
    },
    { -- The sender reset this flow itself as well
      id = "own_resets_too",
      weight = -200,
      was = { "own_resets_too_ipv6" },
      holds = function(o)
        return o.hop_gap ~= nil and (o.own_resets_before >= 1 and o.hop_gap >= 1 or o.own_resets >= 1
          and 1 <= o.hop_gap and o.hop_gap <= THRESHOLDS.hop_tolerance) and o.burst_ahead == 0
          and o.df_or_ipv6 and o.kernel_may_differ
      end,
      say = function(o)
        return "resets of this flow with the sender's own hop limit: " .. text(o.own_resets)
          .. "; its kernel may use another than its service"
      end,
    },
    { -- Beside the sender's own reset, as its kernel answers (IPv4)
      id = "after_own_abort",
      weight = -150,
      holds = function(o)
        return o.linux_bare_ipv4 ~= nil and o.hop_gap ~= nil and o.linux_bare_ipv4
          and o.own_resets_before >= 1 and o.hop_gap >= 1 and o.kernel_may_differ
      end,
      say = function()
        return "its socket reset the connection too, and in this form its kernel answers what "
          .. "still arrives, by a hop limit of its own"
      end,
    },
    { -- Beside the sender's own reset, as its kernel answers (IPv6)
      id = "after_own_abort_ipv6",
      weight = -240,
      holds = function(o)
        return o.linux_bare_ipv6 ~= nil and o.hop_gap ~= nil and o.linux_bare_ipv6
          and o.own_resets_before >= 1 and o.hop_gap >= 1
      end,
      say = function()
        return "its socket reset the connection too, and in this form its kernel answers what "
          .. "still arrives, by a hop limit of its own"
      end,
    },
    { -- By another way, as its flow label may choose
      id = "another_way_ipv6",
      weight = -240,
      holds = function(o)
        return o.linux_bare_ipv6 ~= nil and o.hop_gap ~= nil and o.linux_bare_ipv6 and o.own_resets == 0
          and 1 <= o.hop_gap and o.hop_gap <= 4
      end,
      say = function(o)
        return "window 0 and flow label " .. text(o.flow_label)
          .. ", which Linux computes anew where it answers without a socket, and by which "
          .. "routers choose the way"
      end,
    },
    { -- Same box as the handshake, data from another
      id = "handshake_match",
      weight = -200,
      origin = "front-end",
      holds = function(o)
        return o.handshake_gap ~= nil and o.data_gap ~= nil and o.handshake_gap == 0 and o.data_gap >= 1
      end,
      say = function(o)
        return "hop limit " .. text(o.hop_limit)
          .. " equals that of the sender's handshake, while its other packets differ: a load "
          .. "balancer or proxy in front"
      end,
    },
    { -- Answers sooner than the sender can
      id = "causality",
      weight = 450,
      holds = function(o)
        return o.sooner_than_round_trip ~= nil and o.rtt_confirmed ~= nil and o.host_gap ~= nil
          and o.sooner_than_round_trip and o.rtt_confirmed and (o.host_gap >= 2 or o.rtt_source == "flow"
          and o.host_gap >= 1)
      end,
      say = function(o)
        return "too early: " .. time_text(o.acked_us)
          .. " after the packet that it acknowledges; the sender needs " .. time_text(o.rtt_us)
      end,
    },
    { -- Answers sooner than the Linux sender did, from its distance
      id = "causality_in_place",
      weight = 400,
      holds = function(o)
        return o.sooner_than_round_trip ~= nil and o.rtt_confirmed ~= nil and o.host_gap ~= nil
          and o.sooner_than_round_trip and o.rtt_confirmed and o.rtt_source == "flow" and o.host_gap == 0
          and o.opening_linux
      end,
      say = function(o)
        return "too early: " .. time_text(o.acked_us)
          .. " after the packet that it acknowledges; the sender needs " .. time_text(o.rtt_us)
      end,
    },
    { -- Answers sooner than the sender did, from its distance
      id = "causality_in_place_other",
      weight = 280,
      holds = function(o)
        return o.sooner_than_round_trip ~= nil and o.rtt_confirmed ~= nil and o.host_gap ~= nil
          and o.sooner_than_round_trip and o.rtt_confirmed and o.rtt_source == "flow" and o.host_gap == 0
          and not o.opening_linux
      end,
      say = function(o)
        return "too early: " .. time_text(o.acked_us)
          .. " after the packet that it acknowledges; the sender needs " .. time_text(o.rtt_us)
      end,
    },
    { -- Answers sooner than the host does elsewhere, from about its distance
      id = "causality_host",
      weight = 180,
      holds = function(o)
        return o.sooner_than_round_trip ~= nil and o.rtt_confirmed ~= nil and o.host_gap ~= nil
          and o.sooner_than_round_trip and o.rtt_confirmed and o.rtt_source == "host" and o.host_gap <= 1
      end,
      say = function(o)
        return "too early: " .. time_text(o.acked_us)
          .. " after the packet that it acknowledges; other ports of the host need "
          .. time_text(o.rtt_us) .. ", but may be forwarded further"
      end,
    },
    { -- Answers sooner than the only round trip measured
      id = "causality_once",
      weight = 220,
      holds = function(o)
        return o.sooner_than_round_trip ~= nil and o.rtt_confirmed ~= nil and o.sooner_than_round_trip
          and not o.rtt_confirmed
      end,
      say = function(o)
        return "too early: " .. time_text(o.acked_us)
          .. " after the packet that it acknowledges; the one round trip measured to the sender "
          .. "took " .. time_text(o.rtt_us)
      end,
    },
    { -- Early, but by a route that the host's other packets take too
      id = "sooner_by_another_way",
      weight = -270,
      holds = function(o)
        return o.sooner_than_round_trip ~= nil and o.rtt_confirmed ~= nil and o.acked_us ~= nil
          and o.rtt_us ~= nil and o.hop_gap ~= nil and o.host_gap ~= nil and o.sooner_than_round_trip
          and o.rtt_confirmed and o.acked_us * 10 >= o.rtt_us * 4 and o.hop_gap >= 1 and o.host_gap == 0
      end,
      say = function(o)
        return time_text(o.acked_us) .. " after the packet that it acknowledges instead of "
          .. time_text(o.rtt_us) .. ", but other packets of the host came from "
          .. count_text(o.distance, "hop") .. " away too: a new route may be shorter"
      end,
    },
    { -- Refuses after exactly one round trip, from the host's distance
      id = "full_rtt",
      weight = -80,
      holds = function(o)
        return o.host_gap ~= nil and o.after_whole_round_trip ~= nil and o.flow_packets == 0
          and o.host_gap == 0 and o.after_whole_round_trip
      end,
      say = function(o)
        return "refused " .. time_text(o.acked_us) .. " after the SYN: one round trip to the host ("
          .. time_text(o.rtt_us) .. ")"
      end,
    },
    { -- Refuses after exactly one round trip, by a hop limit of its own
      id = "full_rtt_elsewhere",
      weight = -100,
      holds = function(o)
        return o.host_gap ~= nil and o.host_share ~= nil and o.after_whole_round_trip ~= nil
          and o.flow_packets == 0 and o.host_gap >= 1 and o.host_share < 90 and o.after_whole_round_trip
      end,
      say = function(o)
        return "refused " .. time_text(o.acked_us)
          .. " after the SYN: one round trip to a host that shows several hop limits"
      end,
    },
    { -- Refuses at once, from this very link
      id = "refused_from_this_link",
      weight = -120,
      holds = function(o)
        return o.distance ~= nil and o.rtt_us ~= nil and o.acked_us ~= nil and o.flow_packets == 0
          and o.distance == 0 and o.stage == "post-syn" and o.rtt_us < 60 and o.acked_us <= o.rtt_us * 4
      end,
      say = function(o)
        return "refused within " .. time_text(o.acked_us) .. ", as a capture at the host shows it ("
          .. time_text(o.rtt_us) .. " for its other answers)"
      end,
    },
    { -- Answers at once, from this very link
      id = "answers_from_this_link",
      weight = -120,
      holds = function(o)
        return o.hop_gap ~= nil and o.distance ~= nil and o.rtt_us ~= nil and o.response_us ~= nil
          and o.hop_gap == 0 and o.distance == 0 and not o.has_ack and o.established and o.rtt_us < 300
          and o.response_us <= o.rtt_us * 3
      end,
      say = function(o)
        return "the sender is on this link, and this answer took " .. time_text(o.response_us)
          .. ", no longer than its others"
      end,
    },
    { -- Sooner than half a round trip after the peer began to send
      id = "too_fast",
      weight = 105,
      holds = function(o)
        return o.peer_run_us ~= nil and o.rtt_us ~= nil and o.acked_us == nil and 0 <= o.peer_run_us * 2
          and o.peer_run_us * 2 < o.rtt_us and o.rtt_us - o.peer_run_us >= 1000 and o.resets_before == 0
      end,
      say = function(o)
        return "too early: " .. time_text(o.peer_run_us)
          .. " after the peer began to send; a round trip takes " .. time_text(o.rtt_us)
          .. "; an abort may cross the packet"
      end,
    },
    { -- Answers what cannot have reached the Linux host
      id = "unprovoked",
      weight = 340,
      holds = function(o)
        return o.unprovoked_bare_reset ~= nil and o.unprovoked_bare_reset and o.opening_linux
      end,
      say = function(o)
        return "nothing that it could answer had reached the sender: the peer began to send "
          .. time_text(o.peer_run_us) .. " before, and a round trip takes " .. time_text(o.rtt_us)
      end,
    },
    { -- Answers what cannot have reached the sender
      id = "unprovoked_other",
      weight = 80,
      holds = function(o)
        return o.unprovoked_bare_reset ~= nil and o.unprovoked_bare_reset and not o.opening_linux
      end,
      say = function(o)
        return "nothing that it could answer had reached the sender: the peer began to send "
          .. time_text(o.peer_run_us) .. " before, and a round trip takes " .. time_text(o.rtt_us)
      end,
    },
    { -- Resets in both directions at once
      id = "both_ways",
      weight = 110,
      holds = function(o)
        return o.peer_reset_gap_us ~= nil and o.rtt_us ~= nil and o.peer_reset_gap_us * 2 < o.rtt_us
          and o.rtt_us >= 2000
      end,
      say = function(o)
        return "both directions were reset within " .. time_text(o.peer_reset_gap_us)
          .. ", so neither caused the other"
      end,
    },
    { -- The sender continues after its own reset
      id = "speaks_after",
      weight = 450,
      holds = function(o)
        return o.spoke_after and not o.syn_only
      end,
      say = function()
        return "the sender continued the conversation after its own reset, without a new SYN"
      end,
    },
    { -- As the sender's own firewall rejects
      id = "own_firewall",
      weight = -250,
      was = { "own_firewall_ipv6" },
      holds = function(o)
        return o.hop_gap ~= nil and o.continued_after_bare_reset and o.hop_gap == 0 and o.netfilter_header
      end,
      say = function()
        return "a firewall on the sender itself sends such a reset, and the sender's socket "
          .. "continues, as here"
      end,
    },
    { -- As the sender's own firewall rejects, by another route (IPv6)
      id = "own_firewall_another_way",
      weight = -400,
      holds = function(o)
        return o.hop_gap ~= nil and o.flow_label ~= nil and o.opening_label ~= nil
          and o.continued_after_bare_reset and o.hop_gap == 1 and o.flow_label == 0
          and o.opening_label ~= 0 and not o.host_has_one_path
      end,
      say = function()
        return "a firewall on the sender itself sends such a reset, and the socket continues, as "
          .. "here; routers may send flow label 0 another way"
      end,
    },
    { -- A scanner continues after its kernel's reset
      id = "speaks_after_syn",
      weight = 150,
      holds = function(o)
        return o.spoke_after and o.syn_only
      end,
      say = function()
        return "the sender continued after its own reset, but had sent only a SYN before: a "
          .. "raw-socket scanner does that"
      end,
    },
    { -- Refuses what the sender accepts
      id = "refuses_accepted",
      weight = 120,
      holds = function(o)
        return o.distance_gap ~= nil and o.refuses_accepted and o.distance_gap == 0 and not o.established
      end,
      say = function()
        return "refuses a SYN that the sender accepts with a SYN-ACK"
      end,
    },
    { -- Refuses from elsewhere what the sender accepts
      id = "refuses_accepted_elsewhere",
      weight = 350,
      holds = function(o)
        return o.distance_gap ~= nil and o.refuses_accepted and o.distance_gap >= 1 and not o.established
      end,
      say = function(o)
        return "refuses a SYN that the sender accepts; its SYN-ACK comes from a place "
          .. count_text(o.distance_gap, "hop") .. " off"
      end,
    },
    { -- One burst, several foreign hop limits
      id = "burst_hops",
      weight = 400,
      holds = function(o)
        return o.hop_gap ~= nil and o.burst_foreign >= 2 and o.hop_gap >= 2
      end,
      say = function(o)
        return count_text(o.burst_size, "reset") .. " in one burst carry "
          .. count_text(o.burst_foreign, "hop limit") .. " that the sender never uses"
      end,
    },
    { -- One burst steps ahead of the sender's sequence numbers
      id = "seq_stride",
      weight = 350,
      holds = function(o)
        return o.seq_ahead ~= nil and o.burst_seqs >= 2 and o.burst_ahead >= 2 and o.seq_ahead > 0
          and o.stage ~= "post-syn" and not o.fin_before
      end,
      say = function(o)
        return count_text(o.burst_size, "reset") .. " in one burst with "
          .. count_text(o.burst_seqs, "sequence number") .. ", " .. text(o.burst_ahead)
          .. " of them beyond everything that the sender sent"
      end,
    },
    { -- With a burst that steps ahead, not from the sender's distance
      id = "seq_stride_gap",
      weight = 350,
      holds = function(o)
        return o.hop_gap ~= nil and o.seq_ahead ~= nil and o.burst_seqs >= 2 and o.burst_ahead >= 1
          and o.hop_gap >= 1 and o.stage ~= "post-syn" and not o.fin_before and not (o.burst_ahead >= 2
          and o.seq_ahead > 0)
      end,
      say = function(o)
        return count_text(o.burst_size, "reset") .. " in one burst, " .. text(o.burst_ahead)
          .. " of them beyond everything that the sender sent, and not with its hop limit"
      end,
    },
    { -- In one burst with hop limits that the sender never uses
      id = "burst_company",
      weight = 200,
      holds = function(o)
        return o.hop_gap ~= nil and o.burst_foreign >= 2 and o.burst_seqs >= 2 and o.hop_gap == 0
      end,
      say = function(o)
        return "hop limit " .. text(o.hop_limit) .. " is the sender's own, but the same burst carries "
          .. count_text(o.burst_foreign, "hop limit") .. " that it never uses; one may match by chance"
      end,
    },
    { -- IP ID copied from the packet it answers
      id = "mirrored",
      weight = 450,
      holds = function(o)
        return o.id_mirrored ~= nil and o.id_mirrored
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id) .. " is copied from the packet that it answers"
      end,
    },
    { -- Reserved bits copied from the packet it answers
      id = "mirrored_reserved",
      weight = 300,
      holds = function(o)
        return o.reserved_mirrored ~= nil and o.reserved_mirrored
      end,
      say = function(o)
        return "reserved TCP bits " .. hex_text(o.reserved_bits) .. " are copied from the packet that it answers"
      end,
    },
    { -- Window copied from the packet it answers
      id = "mirrored_window",
      weight = 120,
      holds = function(o)
        return o.window_mirrored ~= nil and o.window_mirrored and o.established
      end,
      say = function(o)
        return "window " .. text(o.window) .. " is copied from the packet that it answers"
      end,
    },
    { -- Acknowledges what cannot be acknowledged
      id = "bad_ack",
      weight = 60,
      holds = function(o)
        return o.ack_ahead ~= nil and 0 < o.ack_ahead and o.ack_ahead <= THRESHOLDS.seq_reach
      end,
      say = function()
        return "acknowledges data that the peer never sent"
      end,
    },
    { -- Acknowledges the SYN's own number
      id = "bad_ack_isn",
      weight = 60,
      holds = function(o)
        return o.acked_bytes ~= nil and o.acked_bytes == -1
      end,
      say = function()
        return "acknowledges the SYN's own sequence number; a refusal acknowledges the next one"
      end,
    },
    { -- RST without ACK on an open connection of Linux
      id = "bare_on_open",
      weight = 130,
      holds = function(o)
        return not o.has_ack and o.live_connection and o.opening_linux
      end,
      say = function()
        return "RST without ACK; an aborting Linux application sends RST+ACK"
      end,
    },
    { -- RST without ACK on an open connection
      id = "bare_on_open_other",
      weight = 60,
      holds = function(o)
        return not o.has_ack and o.live_connection and not o.opening_linux
      end,
      say = function()
        return "RST without ACK; an aborting application normally sends RST+ACK"
      end,
    },
    { -- Abort with a sequence number of the past
      id = "behind",
      weight = 350,
      holds = function(o)
        return o.abort_behind ~= nil and o.handshake_gap ~= nil and o.abort_behind and o.handshake_gap == 0
          and o.opening_linux
      end,
      say = function(o)
        return "its sequence number lies behind what the sender had sent (" .. text(o.seq_ahead)
          .. " bytes); an abort has the next one"
      end,
    },
    { -- Abort with a sequence number of the past, from elsewhere
      id = "behind_gap",
      weight = 350,
      holds = function(o)
        return o.abort_behind ~= nil and o.handshake_gap ~= nil and o.data_gap ~= nil and o.abort_behind
          and o.handshake_gap >= 1 and o.data_gap >= 1 and o.opening_linux
      end,
      say = function(o)
        return "its sequence number lies behind what the sender had sent (" .. text(o.seq_ahead)
          .. " bytes); an abort has the next one"
      end,
    },
    { -- Abort with a sequence number of the past, not of Linux
      id = "behind_other",
      weight = 80,
      holds = function(o)
        return o.abort_behind ~= nil and o.handshake_gap ~= nil and o.data_gap ~= nil and o.abort_behind
          and (o.handshake_gap == 0 or o.data_gap >= 1) and not o.opening_linux
      end,
      say = function(o)
        return "its sequence number lies behind what the sender had sent (" .. text(o.seq_ahead) .. " bytes)"
      end,
    },
    { -- RST without ACK on a connection that had ended
      id = "explained",
      weight = -120,
      holds = function(o)
        return o.hop_gap ~= nil and not o.has_ack and (o.fin_before or o.resets_before >= 1
          or o.peer_resets_before >= 1) and o.hop_gap == 0
      end,
      say = function()
        return "the connection had ended; a kernel answers late packets with RST without ACK"
      end,
    },
    { -- Abort without the timestamps of the Linux sender
      id = "ts_missing",
      weight = 130,
      holds = function(o)
        return o.abort_without_timestamp and not o.seq_foreign and o.opening_linux
      end,
      say = function()
        return "RST+ACK without TCP timestamp; the sender's packets carry one, and so does an " .. "abort of Linux"
      end,
    },
    { -- Abort without the sender's timestamps
      id = "ts_missing_other",
      weight = 30,
      holds = function(o)
        return o.abort_without_timestamp and not o.seq_foreign and not o.opening_linux
      end,
      say = function()
        return "RST+ACK without TCP timestamp; the sender's packets carry one"
      end,
    },
    { -- Not the abort of a Linux socket
      id = "ts_missing_linux",
      weight = 340,
      holds = function(o)
        return o.seq_near ~= nil and o.linux_handshake ~= nil and o.hop_gap ~= nil
          and o.abort_without_timestamp and o.seq_near and o.linux_handshake and o.hop_gap == 0
      end,
      say = function()
        return "RST+ACK without TCP timestamp; Linux, which the sender runs, puts one on an abort"
      end,
    },
    { -- Second abort of one Linux socket
      id = "abort_again_linux",
      weight = 450,
      holds = function(o)
        return o.seq_near ~= nil and o.linux_handshake ~= nil and o.has_ack and o.ts_step == nil
          and o.seq_near and o.established and o.resets_before >= 1 and o.linux_handshake
      end,
      say = function()
        return "RST+ACK without timestamps after a reset of the same sender; Linux, which the "
          .. "sender runs, aborts a socket once and answers later packets without ACK"
      end,
    },
    { -- A closed window that Linux does not close
      id = "abort_window_linux",
      weight = 340,
      holds = function(o)
        return o.window_left ~= nil and o.seq_near ~= nil and o.linux_recent ~= nil and o.first_abort
          and o.window == 0 and o.window_left and o.seq_near and o.linux_recent
      end,
      say = function(o)
        return "RST+ACK with window 0; Linux, which the sender runs, offers what is left of its " .. "window ("
          .. text(o.own_window) .. ")"
      end,
    },
    { -- Abort without its socket's flow label
      id = "abort_label_linux",
      weight = 300,
      holds = function(o)
        return o.abort_without_label ~= nil and o.abort_without_label
      end,
      say = function()
        return "flow label 0; Linux, which the sender runs, would keep the connection's label"
      end,
    },
    { -- The last packet's timestamp, without its flow label
      id = "abort_label_stamped",
      weight = 220,
      holds = function(o)
        return o.abort_without_label ~= nil and o.ts_step ~= nil and o.abort_without_label and o.ts_step == 0
      end,
      say = function()
        return "the timestamp of the sender's last packet without its flow label: a copy"
      end,
    },
    { -- A window that Linux leaves 0
      id = "bare_window_linux",
      weight = 340,
      holds = function(o)
        return o.linux_handshake ~= nil and not o.has_ack and o.window ~= 0 and o.payload_len == 0
          and o.linux_handshake
      end,
      say = function(o)
        return "RST without ACK, with window " .. text(o.window) .. "; Linux, which the sender runs, leaves it 0"
      end,
    },
    { -- An acknowledgement number without ACK
      id = "bare_ack_linux",
      weight = 340,
      holds = function(o)
        return o.linux_handshake ~= nil and o.ack_unflagged and o.payload_len == 0 and o.linux_handshake
      end,
      say = function()
        return "RST without ACK, but with an acknowledgement number; Linux, which the sender "
          .. "runs, leaves it 0"
      end,
    },
    { -- IP ID or don't-fragment bit unlike Linux
      id = "bare_id_linux",
      weight = 300,
      holds = function(o)
        return o.ip_id ~= nil and o.own_id_step ~= nil and o.df ~= nil and o.opening_df ~= nil
          and o.linux_recent ~= nil and not o.has_ack and (o.ip_id ~= 0 and 1 <= o.own_id_step
          and o.own_id_step <= 64 or not o.df) and o.opening_df and o.linux_recent
      end,
      say = function(o)
        return "RST without ACK, with IP ID " .. text(o.ip_id) .. " and don't-fragment " .. text(o.df)
          .. "; Linux, which the sender runs, sends IP ID 0 and don't-fragment yes"
      end,
    },
    { -- The socket's flow label in a reset without socket
      id = "bare_label_linux",
      weight = 150,
      holds = function(o)
        return o.flow_label ~= nil and o.opening_label ~= nil and o.hop_gap ~= nil and not o.has_ack
          and o.flow_label ~= 0 and o.flow_label == o.opening_label and o.opening_linux
          and o.hop_gap == 0 and o.established and not o.fin_before
      end,
      say = function(o)
        return "RST without ACK, with the connection's flow label " .. hex_text(o.flow_label)
          .. "; Linux, which the sender runs, mostly uses another one where it has no socket"
      end,
    },
    { -- Reset as Linux answers without a socket (IPv4)
      id = "bare_form_linux",
      weight = -40,
      holds = function(o)
        return o.linux_bare_ipv4 ~= nil and o.hop_gap ~= nil and o.linux_bare_ipv4 and o.hop_gap == 0
      end,
      say = function()
        return "window 0, IP ID 0 and don't-fragment set, as Linux, which the sender runs, "
          .. "answers without a socket"
      end,
    },
    { -- Reset as Linux answers without a socket (IPv6)
      id = "bare_form_linux_ipv6",
      weight = -60,
      holds = function(o)
        return o.linux_bare_ipv6 ~= nil and o.hop_gap ~= nil and o.linux_bare_ipv6 and o.hop_gap == 0
      end,
      say = function(o)
        return "window 0 and a new flow label (" .. hex_text(o.flow_label)
          .. "), as Linux, which the sender runs, answers without a socket; a firewall leaves " .. "it 0"
      end,
    },
    { -- Don't-fragment clear, unlike the sender's
      id = "df_clear",
      weight = 120,
      holds = function(o)
        return o.df ~= nil and o.opening_df ~= nil and not o.df and o.opening_df
      end,
      say = function()
        return "don't-fragment is clear; the sender's own packets set it"
      end,
    },
    { -- IP ID does not continue the sender's sequence
      id = "ip_id_foreign",
      weight = 40,
      holds = function(o)
        return o.ip_id ~= nil and o.own_id_step ~= nil and o.id_step_far ~= nil and not o.has_ack
          and o.ip_id ~= 0 and 1 <= o.own_id_step and o.own_id_step <= 2000 and o.id_step_far
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id) .. " does not continue the sender's sequence"
      end,
    },
    { -- Abort with an IP ID that does not continue the sender's sequence
      id = "ip_id_foreign_abort",
      weight = 130,
      holds = function(o)
        return o.abort_with_foreign_id ~= nil and o.abort_with_foreign_id
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id)
          .. " does not continue the sender's sequence; the abort of its socket would"
      end,
    },
    { -- Not the IP ID of a Linux socket
      id = "ip_id_foreign_linux",
      weight = 320,
      holds = function(o)
        return o.abort_with_foreign_id ~= nil and o.own_id_step ~= nil and o.ack_step ~= nil
          and o.hop_gap ~= nil and o.abort_with_foreign_id and o.own_id_step <= 64
          and math.abs(o.ack_step) <= 65536 and o.opening_linux and o.hop_gap == 0
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id)
          .. " does not continue the sender's sequence; Linux, which the sender runs, counts on "
          .. "in an abort"
      end,
    },
    { -- Flow label 0, unlike the sender's
      id = "flow_label_zero",
      weight = 60,
      holds = function(o)
        return o.flow_label ~= nil and o.opening_label ~= nil and o.hop_gap ~= nil and o.flow_label == 0
          and o.opening_label ~= 0 and o.hop_gap > THRESHOLDS.hop_tolerance
      end,
      say = function()
        return "flow label 0; the sender's packets have one"
      end,
    },
    { -- Type of service of the SYN echoed
      id = "tos_echo",
      weight = -120,
      holds = function(o)
        return o.peer_syn_tos ~= nil and o.tos ~= nil and o.stage == "post-syn" and o.peer_syn_tos >= 4
          and math.abs(o.tos - o.peer_syn_tos) <= 3
      end,
      say = function(o)
        return "type of service " .. hex_text(o.tos)
          .. " is that of the SYN, as a kernel answers for a closed port; firewalls send 0"
      end,
    },
    { -- Timestamp continues the sender's
      id = "active_form",
      weight = -220,
      holds = function(o)
        return o.ts_step ~= nil and 0 <= o.ts_step and o.ts_step <= 100000000
      end,
      say = function()
        return "TCP timestamp continues the sender's clock, as in the abort of its socket"
      end,
    },
    { -- An abort with TCP options, of a flow of which the capture shows nothing else
      id = "stamped_abort",
      weight = -200,
      holds = function(o)
        return o.flow_packets == 0 and o.has_ack and o.options_len >= 10
      end,
      say = function()
        return "carries TCP options, as the abort of a socket does; it may come from another host "
          .. "behind this address"
      end,
    },
    { -- IP ID is the sender's next
      id = "id_run",
      weight = -90,
      holds = function(o)
        return o.id_step ~= nil and o.ip_id ~= nil and 1 <= o.id_step and o.id_step <= 8 and o.ip_id ~= 0
          and o.has_ack and not o.ts_missing
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id) .. " continues the sender's sequence"
      end,
    },
    { -- IP ID goes on in the sender's counter
      id = "id_counter",
      weight = -150,
      holds = function(o)
        return o.ip_id ~= nil and o.own_id_step ~= nil and o.id_step ~= nil and o.ip_id ~= 0
          and 1 <= o.own_id_step and o.own_id_step <= 64 and 9 <= o.id_step
          and o.id_step <= 56 + 8 * o.own_id_step
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id) .. " continues the sender's counter, " .. text(o.id_step)
          .. " after its last one"
      end,
    },
    { -- Refuses a SYN-ACK, from where its SYN came
      id = "refuses_syn_ack",
      weight = -120,
      holds = function(o)
        return o.distance_gap ~= nil and o.syn_only and not o.has_ack and o.distance_gap <= 1
      end,
      say = function()
        return "the sender had sent only a SYN; its kernel refuses a SYN-ACK that fits no socket "
          .. "with RST without ACK"
      end,
    },
    { -- A window smaller than Linux may offer
      id = "abort_window_less",
      weight = 250,
      holds = function(o)
        return o.hop_gap ~= nil and o.own_window ~= nil and o.first_abort and o.opening_linux
          and o.hop_gap == 0 and 0 < o.window * 2 and o.window * 2 < o.own_window
      end,
      say = function(o)
        return "RST+ACK with window " .. text(o.window) .. "; Linux, which the sender runs, had offered "
          .. text(o.own_window) .. " and takes nothing back"
      end,
    },
    { -- A window larger than Linux would have offered
      id = "abort_window_jump",
      weight = 250,
      holds = function(o)
        return o.hop_gap ~= nil and o.own_window ~= nil and o.first_abort and o.opening_linux
          and o.hop_gap == 0 and o.window > o.own_window * 2 and o.window > o.own_window + 32
          and o.ts_step == nil
      end,
      say = function(o)
        return "RST+ACK with window " .. text(o.window) .. "; Linux, which the sender runs, had offered "
          .. text(o.own_window) .. " just before"
      end,
    },
    { -- After a FIN: ordinary close
      id = "after_fin",
      weight = -60,
      holds = function(o)
        return o.fin_before
      end,
      say = function()
        return "came after a FIN: part of an ordinary close"
      end,
    },
    { -- A neighbour's address from another MAC
      id = "own_name",
      weight = 360,
      holds = function(o)
        return o.foreign_mac ~= nil and o.sender_on_link ~= nil and o.foreign_mac and o.sender_on_link
      end,
      say = function()
        return "the sender is on this link with a MAC address of its own; this reset came from " .. "another one"
      end,
    },
    { -- MAC that the sender never uses
      id = "new_mac",
      weight = 200,
      holds = function(o)
        return o.foreign_mac ~= nil and o.sender_on_link ~= nil and o.foreign_mac and not o.sender_on_link
      end,
      say = function(o)
        return "came from a MAC address that none of the sender's "
          .. count_text(o.host_packets, "other packet") .. " has: another device on this link"
      end,
    },
    { -- MAC that the sender never uses, with a hop limit of its host
      id = "new_mac_known_hop",
      weight = 250,
      holds = function(o)
        return o.foreign_mac ~= nil and o.host_gap ~= nil and o.hop_gap ~= nil and o.foreign_mac
          and o.host_gap == 0 and o.hop_gap >= 2
      end,
      say = function()
        return "the hop limit is one of the host, but not of this flow; the MAC address is " .. "neither's"
      end,
    },
    { -- One IP ID counter for three unrelated senders or more
      id = "shared_counter",
      weight = 320,
      holds = function(o)
        return o.shared_ip_id_run ~= nil and o.shared_ip_id_run
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id) .. " is in one sequence with resets in the names of "
          .. count_text(o.run_senders, "sender") .. ": one device counts for all"
      end,
    },
    { -- One IP ID counter, but from where the sender sits
      id = "shared_counter_here",
      weight = -170,
      holds = function(o)
        return o.shared_ip_id_run ~= nil and o.host_gap ~= nil and o.shared_ip_id_run and o.host_gap == 0
      end,
      say = function(o)
        return "came from where the host's other packets come from; one host may own all "
          .. text(o.run_senders) .. " addresses"
      end,
    },
    { -- One IP ID counter for three neighbours or more, from elsewhere
      id = "shared_counter_near",
      weight = 250,
      holds = function(o)
        return o.run_senders ~= nil and o.run_networks ~= nil and o.host_gap ~= nil and o.run_senders >= 3
          and o.run_networks < 2 and o.host_gap >= 1
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id) .. " is in one sequence with resets in the names of "
          .. count_text(o.run_senders, "sender") .. ", and it came from " .. count_text(o.host_gap, "hop")
          .. " off the host"
      end,
    },
    { -- One IP ID counter for two unrelated senders
      id = "shared_counter_two",
      weight = 120,
      holds = function(o)
        return o.run_senders ~= nil and o.run_networks ~= nil and o.run_senders == 2 and o.run_networks >= 2
      end,
      say = function(o)
        return "IP ID " .. text(o.ip_id) .. " is next to that of a reset in another sender's name"
      end,
    },
    { -- Resets of senders from everywhere come from one place
      id = "same_place",
      weight = 280,
      holds = function(o)
        return o.host_gap ~= nil and o.foreign_senders_here and o.host_gap >= 2 and not o.syn_only
      end,
      say = function(o)
        return "resets in the names of " .. count_text(o.place_foreign, "sender") .. " at "
          .. count_text(o.place_baselines, "other distance") .. " all arrive with hop limit "
          .. text(o.hop_limit)
      end,
    },
    { -- From the place of resets that are not their senders'
      id = "same_place_unseen",
      weight = 280,
      holds = function(o)
        return o.foreign_senders_here and o.host_packets == 0 and o.place_senders >= 2 * o.place_rival
      end,
      say = function(o)
        return "the capture shows nothing else of the sender, but "
          .. count_text(o.place_foreign, "other sender") .. " at "
          .. count_text(o.place_baselines, "other distance") .. " are reset with this hop limit too"
      end,
    },
    { -- Unrelated senders refuse from one place
      id = "same_place_everywhere",
      weight = 280,
      holds = function(o)
        return o.distance ~= nil and o.many_networks_here and o.place_foreign < 3 and o.place_native == 0
          and o.host_packets == 0 and (o.distance <= 4 or o.place_networks >= 16)
      end,
      say = function(o)
        return count_text(o.place_senders, "sender") .. " in "
          .. count_text(o.place_networks, "unrelated network")
          .. " show nothing but resets, all with hop limit " .. text(o.hop_limit)
      end,
    },
    { -- Both ends on this link, though of unrelated networks
      id = "nobody_so_near",
      weight = 150,
      holds = function(o)
        return o.distance ~= nil and o.peer_distance ~= nil and o.distance == 0 and o.peer_distance == 0
          and o.place_networks >= 2
      end,
      say = function(o)
        return "sender and peer both look 0 hops away, and so do senders in "
          .. count_text(o.place_networks, "unrelated network") .. ": a device here sends for them"
      end,
    },
    { -- NetScaler reset code in the window
      id = "netscaler_code",
      weight = -300,
      origin = "front-end",
      holds = function(o)
        return o.netscaler_form ~= nil and o.netscaler_form
      end,
      say = function(o)
        return "window " .. text(o.window) .. " is a reset code of a NetScaler (Citrix ADC): "
          .. text(o.netscaler_code)
      end,
    },
    { -- F5 BIG-IP reset cause in the payload or the Ethernet trailer
      id = "bigip_cause",
      weight = -600,
      origin = "front-end",
      holds = function(o)
        return o.payload_kind == "bigip" or o.f5_trailer
      end,
      say = function(o)
        return "an F5 BIG-IP wrote its reset cause into the packet: " .. text(o.stated_cause)
      end,
    },
  }

  -- Stories that account for several signs at once. A forger's story ("middlebox") takes the rules that it explains
  -- from the weight for the endpoint, any other from the weight against it. The cheapest case that holds is its price.
  local EXPLANATIONS = {
    { -- the client itself sends a fake reset that must not arrive, to confuse a censor
      id = "desync_fake",
      title = "the client itself sends a fake reset that must not arrive, to confuse a censor",
      origin = "endpoint",
      explains = {
        ["abort_label_linux"] = true,
        ["abort_window_jump"] = true,
        ["abort_window_less"] = true,
        ["abort_window_linux"] = true,
        ["bad_ack"] = true,
        ["bare_ack_linux"] = true,
        ["bare_id_linux"] = true,
        ["bare_label_linux"] = true,
        ["bare_on_open"] = true,
        ["bare_on_open_other"] = true,
        ["bare_window_linux"] = true,
        ["behind"] = true,
        ["behind_gap"] = true,
        ["behind_other"] = true,
        ["both_ways"] = true,
        ["flow_label_zero"] = true,
        ["hop_gap"] = true,
        ["mirrored_window"] = true,
        ["near_initial"] = true,
        ["speaks_after"] = true,
        ["ts_missing"] = true,
        ["ts_missing_linux"] = true,
        ["ts_missing_other"] = true,
      },
      cases = {
        {
          price = -110,
          holds = function(o)
            return o.fake_of_client ~= nil and o.follows_counter ~= nil and o.fake_of_client and o.dies_on_the_way
          and o.follows_counter
          end,
        },
        {
          price = -110,
          holds = function(o)
            return o.fake_of_client ~= nil and o.flow_label ~= nil and o.opening_label ~= nil and o.fake_of_client
          and o.dies_on_the_way and o.flow_label == o.opening_label
          end,
        },
        {
          price = 0,
          holds = function(o)
            return o.fake_of_client ~= nil and o.own_interface ~= nil and o.fake_of_client and o.own_interface
          and o.ip_version == 6
          end,
        },
        {
          price = 120,
          holds = function(o)
            return o.fake_of_client ~= nil and o.fake_of_client and o.dies_on_the_way
          end,
        },
      },
      say = function()
        return "has the form of the client's own packets, comes before its first data, and the "
          .. "client continues: the client sends this fake on purpose"
      end,
      cause = function()
        return "a fake reset of a program against censorship on the client (zapret, GoodbyeDPI " .. "and the like)"
      end,
    },
    { -- the host starts data from 60 and resets from 64
      id = "two_initial_hop_limits",
      title = "the host starts data from 60 and resets from 64",
      origin = "endpoint",
      explains = {
        ["bare_on_open_other"] = true,
        ["burst_hops"] = true,
        ["df_clear"] = true,
        ["hop_gap"] = true,
        ["hop_gap_host"] = true,
        ["near_initial"] = true,
        ["near_initial_host"] = true,
      },
      cases = {
        {
          price = -100,
          holds = function(o)
            return o.starts_from_sixty ~= nil and o.hop_baseline ~= nil and o.follows_counter ~= nil
          and o.starts_from_sixty and o.hop_baseline >= 3 and o.follows_counter
          end,
        },
        {
          price = 200,
          holds = function(o)
            return o.starts_from_sixty ~= nil and o.hop_baseline ~= nil and o.starts_from_sixty
          and o.hop_baseline >= 3 and o.own_id_step == nil
          end,
        },
        {
          price = 200,
          holds = function(o)
            return o.starts_from_sixty ~= nil and o.hop_baseline ~= nil and o.id_step ~= nil
          and o.starts_from_sixty and o.hop_baseline >= 3 and o.id_step <= 2000
          end,
        },
      },
      say = function(o)
        return "hop limit " .. text(o.hop_limit) .. " against " .. text(o.hop_baseline)
          .. ": illumos and Solaris start data from 60 and resets from 64"
      end,
    },
    { -- a stack other than Linux aborts without timestamps or don't-fragment
      id = "other_stack",
      title = "a stack other than Linux aborts without timestamps or don't-fragment",
      origin = "endpoint",
      explains = {
        ["df_clear"] = true,
        ["ts_missing_other"] = true,
      },
      cases = {
        {
          price = 0,
          holds = function(o)
            return o.hop_gap ~= nil and o.follows_counter ~= nil and o.id_step ~= nil and o.hop_gap == 0
          and not o.opening_linux and o.follows_counter and o.id_step <= 8
          end,
        },
      },
      say = function(o)
        return "IP ID " .. text(o.ip_id)
          .. " is the sender's next; stacks such as AIX leave timestamps and don't-fragment out "
          .. "of resets"
      end,
    },
    { -- the host sends a reset that dies at its first router
      id = "silent_drop",
      title = "the host sends a reset that dies at its first router",
      origin = "endpoint",
      explains = {
        ["hop_gap"] = true,
        ["near_initial"] = true,
      },
      cases = {
        {
          price = 0,
          holds = function(o)
            return o.hop_limit ~= nil and o.ts_step ~= nil and o.hop_limit <= 1 and 0 <= o.ts_step
          and o.ts_step <= 100000000
          end,
        },
        {
          price = 0,
          holds = function(o)
            return o.hop_limit ~= nil and o.follows_counter ~= nil and o.hop_limit <= 1 and o.has_ack
          and o.follows_counter
          end,
        },
      },
      say = function(o)
        return "hop limit " .. text(o.hop_limit)
          .. " in the form of the sender's own abort: the host drops the connection, and the "
          .. "other end learns nothing"
      end,
      cause = function()
        return "the host drops the connection silently (HAProxy silent-drop)"
      end,
    },
    { -- a device injects data in the sender's name, and then resets
      id = "injected_data",
      title = "a device injects data in the sender's name, and then resets",
      origin = "middlebox",
      explains = {
        ["after_fin"] = true,
        ["explained"] = true,
        ["hop_known_of_host"] = true,
        ["id_counter"] = true,
        ["id_run"] = true,
        ["own_firewall"] = true,
        ["own_firewall_another_way"] = true,
      },
      cases = {
        {
          price = 0,
          holds = function(o)
            return o.stray_packets >= 1
          end,
        },
      },
      say = function(o)
        return count_text(o.stray_packets, "packet")
          .. " with this hop limit among the sender's own, which have another: injected too"
      end,
      cause = function(o)
        return "a device answers in the host's name (a block page) and ends the connection; it " .. "injected "
          .. count_text(o.stray_packets, "packet") .. " before"
      end,
    },
    { -- the host's own reset, to which the address translation was not applied
      id = "untranslated_reset",
      title = "the host's own reset, to which the address translation was not applied",
      origin = "endpoint",
      explains = {
      },
      cases = {
        {
          price = -250,
          holds = function(o)
            return o.sender_translated and o.untranslated and o.flow_packets == 0
          end,
        },
      },
      say = function()
        return "its sequence number continues a flow that has another address in place of the "
          .. "sender's, and this flow has no other packet of the sender: one connection, and a "
          .. "reset that was not translated"
      end,
      cause = function()
        return "a reset of a connection that passes under another address: the address "
          .. "translation was not applied to it (NAT state lost or expired, or the packet " .. "invalid)"
      end,
    },
    { -- the kernel refuses packets that come from an address which it did not dial
      id = "undialled_address",
      title = "the kernel refuses packets that come from an address which it did not dial",
      origin = "endpoint",
      explains = {
        ["bare_on_open"] = true,
        ["bare_on_open_other"] = true,
        ["hop_gap_one"] = true,
      },
      cases = {
        {
          price = -100,
          holds = function(o)
            return o.host_gap ~= nil and o.refuses_undialled and o.flow_packets == 0
          and o.host_gap <= THRESHOLDS.hop_tolerance
          end,
        },
        {
          price = -100,
          holds = function(o)
            return o.hop_gap ~= nil and o.refuses_undialled and o.hop_gap <= THRESHOLDS.hop_tolerance
          end,
        },
      },
      say = function()
        return "the same connection passes under another address of the peer, and the sender does "
          .. "not reset it there: it contacted that address, and refuses packets from this one"
      end,
      cause = function()
        return "packets reach the sender from an address that it did not contact: a device on the "
          .. "way no longer translates them (NAT state lost, expired, or the packet invalid), "
          .. "or the answer bypasses the device"
      end,
    },
    { -- the device that owns and translates this address answers by itself
      id = "owner_of_translated_address",
      title = "the device that owns and translates this address answers by itself",
      origin = "front-end",
      explains = {
        ["bare_on_open"] = true,
        ["bare_on_open_other"] = true,
        ["causality"] = true,
        ["causality_host"] = true,
        ["causality_once"] = true,
        ["hop_gap"] = true,
        ["hop_gap_host"] = true,
        ["hop_gap_host_further"] = true,
        ["near_initial"] = true,
        ["near_initial_host"] = true,
      },
      cases = {
        {
          price = -100,
          holds = function(o)
            return o.at_the_router ~= nil and o.host_translated and o.refuses_syn and o.at_the_router
          end,
        },
        {
          price = 0,
          holds = function(o)
            return o.host_translated and o.refuses_syn
          end,
        },
        {
          price = -100,
          holds = function(o)
            return o.answers_untranslated ~= nil and o.at_the_router ~= nil and o.answers_untranslated
          and (o.at_the_router or o.sender_leaked)
          end,
        },
      },
      say = function()
        return "another flow shows that the sender's address is translated: where the device that "
          .. "owns it answers, hop limit and timing are its own; where it forwards, those of a "
          .. "host behind it"
      end,
      cause = function()
        return "the device that translates this address answers by itself: no host behind this "
          .. "port, a rule, or a connection that it no longer translates (state expired or lost)"
      end,
    },
    { -- the device that owns this address, and forwards other ports of it, refuses this one
      id = "owner_of_address",
      title = "the device that owns this address, and forwards other ports of it, refuses this one",
      origin = "front-end",
      explains = {
        ["hop_gap_host"] = true,
      },
      cases = {
        {
          price = 100,
          holds = function(o)
            return o.host_gap ~= nil and o.acked_us ~= nil and o.rtt_us ~= nil and o.refuses_syn
          and o.host_gap == 2 and o.acked_us * 10 >= o.rtt_us * 7 and not o.place_interrupts
          end,
        },
      },
      say = function()
        return "the refusal comes about as late as the host's own answers, and was sent 2 hops "
          .. "before the host: a device that forwards other ports of this address to the host "
          .. "looks the same"
      end,
      cause = function()
        return "the device that forwards this address (destination NAT) refuses this port, or a "
          .. "firewall next to the host does"
      end,
    },
  }

  -- Of each of the following, the first that holds is given. First: why a verdict is unclear.
  local REASONS = {
    {
      holds = function(o)
        return o.hop_limit == nil
      end,
      say = function()
        return "no hop limits in this text, which tell a host from a device in between; time and "
          .. "form alone do not decide"
      end,
    },
    {
      holds = function(o)
        return o.baseline_source == "none"
      end,
      say = function()
        return "no other packet of the sender in the capture to compare with; to decide: ping the "
          .. "named sender during the capture"
      end,
    },
    {
      holds = function(o)
        return o.host_share ~= nil and o.baseline_source == "host" and o.host_share < 90
      end,
      say = function(o)
        return "no packet of the sender in this flow, and " .. count_text(o.host_values, "distance")
          .. " among the " .. count_text(o.host_packets, "packet")
          .. " of its host; to decide: capture a connection to the same port that works"
      end,
    },
    {
      holds = function(o)
        return o.baseline_source == "host" and o.host_packets < THRESHOLDS.baseline_packets
      end,
      say = function(o)
        return "no packet of the sender in this flow, and only " .. count_text(o.host_packets, "packet")
          .. " of its host elsewhere; to decide: ping the named sender several times during the " .. "capture"
      end,
    },
    {
      holds = function(o)
        return o.hop_gap ~= nil and 1 <= o.hop_gap and o.hop_gap <= THRESHOLDS.hop_tolerance
      end,
      say = function(o)
        return "one hop off the sender's " .. text(o.hop_baseline)
          .. ": a change of route and a device next to the sender look the same; to decide: "
          .. "capture at the named sender as well"
      end,
    },
    {
      holds = function(o)
        return o.host_gap ~= nil and o.flow_packets == 0 and o.host_gap == 1
      end,
      say = function()
        return "one hop off the host's other packets: a change of route and a device next to the "
          .. "host look the same; to decide: capture at the named sender as well"
      end,
    },
    {
      holds = function(o)
        return o.distance ~= nil and o.baseline_distance ~= nil and o.distance <= 2
          and o.baseline_distance == o.distance
      end,
      say = function(o)
        return "sender and reset both come from " .. count_text(o.distance, "hop")
          .. " away: a device this near looks the same; to decide: capture at the named sender " .. "as well"
      end,
    },
    {
      holds = function(o)
        return o.hop_gap ~= nil and o.hop_gap >= 1 and o.syn_only
      end,
      say = function()
        return "the sender showed only its SYN, with another hop limit: a raw-socket scanner "
          .. "looks the same; to decide: capture at the named sender as well"
      end,
    },
    {
      holds = function(o)
        return o.hop_gap ~= nil and o.hop_gap > THRESHOLDS.hop_tolerance and o.seq_foreign
      end,
      say = function()
        return "neither hop limit nor sequence number is the sender's: usual behind a SYN proxy, "
          .. "or in answer to an old packet; to decide: capture at the named sender as well"
      end,
    },
    {
      holds = function(o)
        return o.hop_gap ~= nil and o.hop_gap >= 1 and o.own_resets >= 1
      end,
      say = function()
        return "signs in conflict: the hop limit is not the sender's, but the sender reset this "
          .. "flow itself as well; to decide: capture at the named sender as well"
      end,
    },
    {
      holds = function(o)
        return o.spoke_after
      end,
      say = function()
        return "signs in conflict: the sender continued after the reset, but other signs fit the "
          .. "sender; to decide: capture at the named sender as well"
      end,
    },
    {
      holds = function(o)
        return o.hop_gap ~= nil and o.hop_gap > THRESHOLDS.hop_tolerance
      end,
      say = function()
        return "signs in conflict: those of a device in between and those of the sender weigh "
          .. "about the same; to decide: capture at the named sender as well"
      end,
    },
    {
      holds = function(o)
        return o.response_us == nil
      end,
      say = function()
        return "one direction only: nothing of the other side shows what this reset answers, and "
          .. "how soon; to decide: capture where both directions pass"
      end,
    },
    {
      holds = function(o)
        return o.sender_is_initiator == nil
      end,
      say = function()
        return "too few signs: the beginning of the connection is missing; to decide: capture "
          .. "from the handshake on"
      end,
    },
    {
      holds = function(o)
        return o.ip_version >= 4
      end,
      say = function()
        return "too few signs; to decide: capture at the named sender as well"
      end,
    },
  }

  -- What may have made the sender reset.
  local CAUSES = {
    {
      holds = function(o)
        return o.netscaler_form ~= nil and o.origin == "front-end" and o.netscaler_form
      end,
      say = function(o)
        return "the load balancer closed the connection: " .. text(o.netscaler_code)
          .. " (NetScaler reset code " .. text(o.window) .. ")"
      end,
    },
    {
      holds = function(o)
        return o.origin == "front-end" and o.stated_cause ~= nil
      end,
      say = function(o)
        return "the load balancer closed the connection, and says why: " .. text(o.stated_cause)
      end,
    },
    {
      holds = function(o)
        return o.origin == "front-end"
      end,
      say = function()
        return "the load balancer or proxy closed the connection"
      end,
    },
    {
      holds = function(o)
        return o.stated_enterprise ~= nil and o.stated_reason ~= nil and o.stated_enterprise == 0
          and o.stated_reason >= 8 and o.stated_reason <= 14
      end,
      say = function(o)
        return "the sender says why: " .. text(o.stated_cause)
          .. "; a NAT, firewall or proxy in the path may say this too"
      end,
    },
    {
      holds = function(o)
        return o.payload_kind == "diagnostic" and o.stated_cause ~= nil
      end,
      say = function(o)
        return "the sender says why: " .. text(o.stated_cause)
      end,
    },
    {
      holds = function(o)
        return o.origin == "middlebox" and o.after_end and (o.fin_before or o.own_resets_before >= 1)
      end,
      say = function()
        return "after the connection had ended, a device answers what still arrives"
      end,
    },
    {
      holds = function(o)
        return o.peer_reset_gap_us ~= nil and o.origin == "middlebox" and o.resets_before == 0
          and o.peer_resets_before >= 1 and o.peer_reset_gap_us <= THRESHOLDS.burst_gap_us
      end,
      say = function(o)
        return "the device resets both sides of the connection; it reset the other side within "
          .. time_text(o.peer_reset_gap_us)
      end,
    },
    {
      holds = function(o)
        return o.origin == "middlebox" and (o.resets_before >= 1 or o.peer_resets_before >= 1)
      end,
      say = function()
        return "after a reset had ended the connection, the device repeats it, or answers what " .. "still arrives"
      end,
    },
    {
      holds = function(o)
        return o.origin == "middlebox" and o.fin_before
      end,
      say = function()
        return "one side had closed: a device that no longer keeps the connection answers what " .. "still arrives"
      end,
    },
    {
      holds = function(o)
        return o.idle_us ~= nil and o.origin == "middlebox" and o.idle_us >= 60000000
      end,
      say = function(o)
        return "the connection had been silent for " .. time_text(o.idle_us)
          .. ": a device that keeps state ends it (such resets in this sender's name: "
          .. text(o.silent_resets) .. ", the shortest silence: " .. time_text(o.least_silence_us)
          .. "; usual idle timeout near it: " .. text(o.known_timeout) .. ")"
      end,
    },
    {
      holds = function(o)
        return o.peer_pause_us ~= nil and o.origin == "middlebox" and o.peer_pause_us >= 60000000
      end,
      say = function(o)
        return "the other side had been silent for " .. time_text(o.peer_pause_us)
          .. " and sent again: a device had dropped the idle connection (such resets in this "
          .. "sender's name: " .. text(o.silent_resets) .. ", the shortest silence: "
          .. time_text(o.least_silence_us) .. "; usual idle timeout near it: " .. text(o.known_timeout) .. ")"
      end,
    },
    {
      holds = function(o)
        return o.one_hop_nearer ~= nil and o.origin == "middlebox" and o.one_hop_nearer and o.netfilter_header
          and not o.has_ack and o.established
      end,
      say = function()
        return "a NAT host or firewall next to the sender answers a segment that fits none of its "
          .. "connections (conntrack INVALID, outside the window), or a rule of it rejects the " .. "segment"
      end,
    },
    {
      holds = function(o)
        return o.ended_connection ~= nil and o.origin == "middlebox" and o.stage == "post-syn"
          and not o.ended_connection
      end,
      say = function()
        return "a device refuses the connection in the host's name, and both sides go on all the "
          .. "same: an injector beside the path, or a firewall rule without effect"
      end,
    },
    {
      holds = function(o)
        return o.origin == "middlebox" and o.stage == "post-syn"
      end,
      say = function()
        return "firewall rule: a device refuses the connection in the host's name (or owns the "
          .. "address, and forwards other ports: destination NAT)"
      end,
    },
    {
      holds = function(o)
        return o.silence_us ~= nil and o.origin == "middlebox" and o.stage == "post-psh"
          and o.silence_us <= 1000000
      end,
      say = function()
        return "firewall rule: a device ends the connection once it has seen the first data (or "
          .. "the firewall has lost the connection's state)"
      end,
    },
    {
      holds = function(o)
        return o.origin == "middlebox" and o.stage == "post-ack"
      end,
      say = function()
        return "firewall rule: a device ends the connection before any data, so by addresses and "
          .. "ports (or the firewall has lost the connection's state)"
      end,
    },
    {
      holds = function(o)
        return o.origin == "middlebox" and (o.stage == "post-psh" or o.stage == "later")
      end,
      say = function()
        return "firewall rule, or the firewall has lost the connection's state: a device ends an "
          .. "open connection"
      end,
    },
    {
      holds = function(o)
        return o.origin == "middlebox"
      end,
      say = function()
        return "a device ended the connection; the capture shows too little of it to say why"
      end,
    },
    {
      holds = function(o)
        return o.resets_before >= 1
      end,
      say = function()
        return "the connection was reset before; this answers a packet that was still on its way"
      end,
    },
    {
      holds = function(o)
        return o.peer_resets_before >= 1 and not o.has_ack
      end,
      say = function()
        return "the other side's reset had ended the connection; this answers a packet that came " .. "later"
      end,
    },
    {
      holds = function(o)
        return o.stage == "post-syn" and o.flow_packets == 0 and o.port_accepts
      end,
      say = function()
        return "refused while the same port accepts others: nothing listened just then (a "
          .. "restart), a full backlog, or a guard against SYN floods"
      end,
    },
    {
      holds = function(o)
        return o.stage == "post-syn" and o.flow_packets == 0
      end,
      say = function()
        return "connection refused: nothing listens on this port"
      end,
    },
    {
      holds = function(o)
        return o.sender_is_initiator ~= nil and o.acked_bytes ~= nil and o.sender_is_initiator and o.has_ack
          and (o.stage == "post-syn" or o.stage == "post-ack") and o.acked_bytes == 0
      end,
      say = function()
        return "a health check or port probe: the client aborts as soon as the server has answered"
      end,
    },
    {
      holds = function(o)
        return o.syn_only
      end,
      say = function()
        return "the sender does not know the connection of this SYN-ACK: a scan, a reused port, "
          .. "or an answer from another address than the one it contacted (address translation)"
      end,
    },
    {
      holds = function(o)
        return o.sender_is_initiator ~= nil and o.seq_ahead ~= nil and not o.sender_is_initiator
          and o.flow_packets >= 1 and not o.established and not o.has_ack and o.seq_ahead == 0
      end,
      say = function()
        return "the host had answered the SYN, and refuses what ends the handshake: a full "
          .. "backlog (tcp_abort_on_overflow), or its listener closed meanwhile"
      end,
    },
    {
      holds = function(o)
        return o.sender_is_initiator ~= nil and not o.sender_is_initiator and o.flow_packets >= 1
          and not o.established and o.has_ack and o.stage ~= "post-syn"
      end,
      say = function()
        return "the host accepts the connection and aborts it before it sends anything: the "
          .. "application rejects it, or ended"
      end,
    },
    {
      holds = function(o)
        return o.fin_before and o.has_ack
      end,
      say = function()
        return "ordinary close: the application closed with data unread, or did not wait for the " .. "other side"
      end,
    },
    {
      holds = function(o)
        return o.crossed_fin ~= nil and o.sender_is_initiator ~= nil and o.silence_us ~= nil and o.crossed_fin
          and not o.has_ack and not o.sender_is_initiator and o.silence_us >= 1000000
      end,
      say = function(o)
        return "keep-alive race: after " .. time_text(o.silence_us)
          .. " of silence the host closed the connection, just as the other side sent its next " .. "request"
      end,
    },
    {
      holds = function(o)
        return o.crossed_fin ~= nil and o.crossed_fin and not o.has_ack
      end,
      say = function()
        return "the host closed the connection while the other side was still sending: this "
          .. "answers data that were on their way already"
      end,
    },
    {
      holds = function(o)
        return o.crossed_fin ~= nil and not o.has_ack
      end,
      say = function()
        return "late packet: the host had already closed the connection, and the other side sent "
          .. "on although it had learned of that"
      end,
    },
    {
      holds = function(o)
        return o.fin_before
      end,
      say = function()
        return "the other side closes the connection, which the host no longer knows"
      end,
    },
    {
      holds = function(o)
        return o.idle_us ~= nil and o.has_ack and o.idle_us >= 60000000
      end,
      say = function(o)
        return "the host ends a connection that had been silent for " .. time_text(o.idle_us)
          .. " (such resets of this host: " .. text(o.silent_resets) .. ", the shortest silence: "
          .. time_text(o.least_silence_us) .. "; usual idle timeout near it: " .. text(o.known_timeout) .. ")"
      end,
    },
    {
      holds = function(o)
        return o.has_ack and o.established
      end,
      say = function()
        return "abort by the application (SO_LINGER 0, data left unread, or the process ended)"
      end,
    },
    {
      holds = function(o)
        return o.peer_pause_us ~= nil and not o.has_ack and o.established and o.peer_pause_us >= 60000000
      end,
      say = function(o)
        return "half-open: the other side had been silent for " .. time_text(o.peer_pause_us)
          .. ", and the host knows nothing of the connection any more (a restart or crash, or "
          .. "an idle timeout that only the host has; usual one near the shortest such silence: "
          .. text(o.known_timeout) .. ")"
      end,
    },
    {
      holds = function(o)
        return not o.has_ack and o.established
      end,
      say = function()
        return "the sender does not know this connection (any more), and answers a packet of it"
      end,
    },
    {
      holds = function(o)
        return not o.has_ack and o.flow_packets == 0 and o.stage ~= "unknown"
      end,
      say = function()
        return "the sender does not know this connection, and the capture has no other packet of "
          .. "it from the sender: translated addresses, or only one direction was captured"
      end,
    },
  }

  -- Where a suspect reset came from.
  local WHERES = {
    {
      id = "no_hop_limit",
      holds = function(o)
        return o.origin == "middlebox" and o.hop_limit == nil
      end,
      say = function()
        return "the text has no hop limits, so where it was sent from cannot be told"
      end,
    },
    {
      id = "copied",
      holds = function(o)
        return o.hop_gap ~= nil and o.origin == "middlebox" and o.hop_gap == 0
      end,
      say = function()
        return "place unknown: its hop limit is the sender's own, so a device copied it or sits "
          .. "next to the sender"
      end,
    },
    {
      id = "varied",
      holds = function(o)
        return o.origin == "middlebox" and o.burst_foreign >= 2
      end,
      say = function(o)
        return "place unknown: one burst carries " .. count_text(o.burst_foreign, "hop limit")
          .. " that the sender never uses"
      end,
    },
    {
      id = "no_distance",
      holds = function(o)
        return o.hop_baseline ~= nil and o.origin == "middlebox" and o.hop_baseline <= 2
      end,
      say = function(o)
        return "sent from about " .. count_text(o.distance, "hop") .. " away; the sender's hop limit of "
          .. text(o.hop_baseline) .. " does not say how far away the sender is"
      end,
    },
    {
      id = "nearer",
      holds = function(o)
        return o.distance ~= nil and o.baseline_distance ~= nil and o.origin == "middlebox"
          and o.distance < o.baseline_distance
      end,
      say = function(o)
        return "sent from about " .. count_text(o.distance, "hop") .. " away; the sender it names is about "
          .. count_text(o.baseline_distance, "hop") .. " away"
      end,
    },
    {
      id = "further",
      holds = function(o)
        return o.distance ~= nil and o.baseline_distance ~= nil and o.origin == "middlebox"
          and o.distance > o.baseline_distance
      end,
      say = function(o)
        return "place unknown: its hop limit is that of a place " .. count_text(o.distance, "hop")
          .. " away, beyond the sender it names (" .. count_text(o.baseline_distance, "hop")
          .. "); a device chose its own initial hop limit, or the address has moved"
      end,
    },
    {
      id = "same_distance",
      holds = function(o)
        return o.distance ~= nil and o.baseline_distance ~= nil and o.origin == "middlebox"
          and o.distance == o.baseline_distance
      end,
      say = function(o)
        return "sent from about " .. count_text(o.distance, "hop")
          .. " away, as far as the sender it names, but by another stack"
      end,
    },
    {
      id = "nothing_to_compare",
      holds = function(o)
        return o.origin == "middlebox"
      end,
      say = function(o)
        return "sent from about " .. count_text(o.distance, "hop")
          .. " away; the capture does not show how far away the sender it names is"
      end,
    },
  }

  -- Known devices and mechanisms, by the form of their resets; confidence in percent. They never change a verdict.
  local DEVICES = {
    {
      confidence = 90,
      holds = function(o)
        return o.netscaler_form ~= nil and o.origin == "front-end" and o.netscaler_form
      end,
      say = function()
        return "NetScaler (Citrix ADC)"
      end,
    },
    {
      confidence = 95,
      holds = function(o)
        return o.payload_kind == "bigip" or o.f5_trailer
      end,
      say = function()
        return "F5 BIG-IP"
      end,
    },
    {
      confidence = 90,
      holds = function(o)
        return o.payload_kind == "henan"
      end,
      say = function()
        return "firewall in Henan"
      end,
    },
    {
      confidence = 90,
      holds = function(o)
        return o.payload_kind == "diagnostic"
      end,
      say = function()
        return "stack that explains its resets (RST diagnostic payload)"
      end,
    },
    {
      confidence = 60,
      holds = function(o)
        return o.payload_kind == "text"
      end,
      say = function()
        return "stack that explains its resets in text (read the payload)"
      end,
    },
    {
      confidence = 80,
      holds = function(o)
        return o.origin == "middlebox" and o.has_ack and o.burst_windows_count and o.burst_size == 3
          and o.burst_seqs == 1
      end,
      say = function()
        return "the Great Firewall of China, by three RST+ACK whose windows count up"
      end,
    },
    {
      confidence = 70,
      holds = function(o)
        return o.origin == "middlebox" and o.burst_span == 12503
      end,
      say = function()
        return "peer-to-peer shaper (Sandvine)"
      end,
    },
    {
      confidence = 80,
      holds = function(o)
        return o.origin == "middlebox" and o.burst_ahead >= 2 and o.burst_foreign >= 2
      end,
      say = function()
        return "injector of bursts with varied hop limits (GFW-like)"
      end,
    },
    {
      confidence = 80,
      holds = function(o)
        return o.df ~= nil and o.started_from_64 ~= nil and o.origin == "middlebox" and o.ip_version == 4
          and not o.df and not o.has_ack and o.burst_ahead >= 2 and o.burst_foreign <= 1 and o.started_from_64
      end,
      say = function()
        return "tcpkill (dsniff)"
      end,
    },
    {
      confidence = 50,
      holds = function(o)
        return o.df ~= nil and o.started_from_64 ~= nil and o.origin == "middlebox" and o.ip_version == 4
          and not o.df and not o.has_ack and o.burst_size >= 2 and o.burst_ahead == 0
          and o.options_len == 0 and o.started_from_64
      end,
      say = function()
        return "ngrep -K"
      end,
    },
    {
      confidence = 70,
      holds = function(o)
        return o.df ~= nil and o.window_mirrored ~= nil and o.id_mirrored ~= nil and o.started_from_64 ~= nil
          and o.answers_a_packet ~= nil and o.origin == "middlebox" and o.ip_version == 4 and not o.df
          and o.has_ack and o.window_mirrored and not o.id_mirrored and o.started_from_64
          and o.answers_a_packet
      end,
      say = function()
        return "Suricata reject"
      end,
    },
    {
      confidence = 50,
      holds = function(o)
        return o.df ~= nil and o.hop_gap ~= nil and o.answers_a_packet ~= nil and o.origin == "middlebox"
          and o.ip_version == 4 and not o.df and o.hop_gap == 0 and o.has_ack and o.answers_a_packet
      end,
      say = function()
        return "Snort active response"
      end,
    },
    {
      confidence = 70,
      holds = function(o)
        return o.ip_id ~= nil and o.df ~= nil and o.tos ~= nil and o.answers_a_packet ~= nil
          and o.origin == "middlebox" and o.ip_version == 4 and o.ip_id == 0 and o.df and o.window == 0
          and o.options_len == 0 and o.tos == 0 and o.answers_a_packet
      end,
      say = function()
        return "Linux netfilter REJECT"
      end,
    },
    {
      confidence = 60,
      holds = function(o)
        return o.flow_label ~= nil and o.tos ~= nil and o.answers_a_packet ~= nil and o.origin == "middlebox"
          and o.ip_version == 6 and o.flow_label == 0 and o.window == 0 and o.options_len == 0
          and o.tos == 0 and o.answers_a_packet
      end,
      say = function()
        return "Linux netfilter REJECT"
      end,
    },
    {
      confidence = 60,
      holds = function(o)
        return o.hop_limit ~= nil and o.ts_step ~= nil and o.origin == "endpoint" and o.hop_limit <= 1
          and 0 <= o.ts_step and o.ts_step <= 100000000 or o.hop_limit ~= nil
          and o.follows_counter ~= nil and o.origin == "endpoint" and o.hop_limit <= 1 and o.has_ack
          and o.follows_counter
      end,
      say = function()
        return "HAProxy, silent-drop"
      end,
    },
  }

  -- Of ICMP errors: the first that holds is the judgement.
  local ICMP_ENTRIES = {
    {
      id = "unspecified_source",
      verdict = "likely genuine",
      origin = "middlebox",
      suspicion = 10,
      device = "Palo Alto Networks firewall, PAN-OS before 10.2.8, 11.0.3 or 11.1.0: upgrade",
      holds = function(o)
        return o.source_unspecified ~= nil and o.source_unspecified and o.ip_version == 6
      end,
      say = function(o)
        return text(o.icmp_name)
          .. " from the unspecified address ::, as Palo Alto Networks firewalls send it before "
          .. "PAN-OS 10.2.8, 11.0.3 and 11.1.0; the firewall is " .. count_text(o.distance, "hop")
          .. " away (hop limit " .. text(o.hop_limit) .. "); the probe had travelled "
          .. count_text(o.quoted_travelled, "hop") .. " (quoted " .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "no_hop_limit",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 50,
      holds = function(o)
        return o.hop_limit == nil
      end,
      say = function(o)
        return text(o.icmp_name) .. ": the text has no hop limits, which tell how far away it was sent"
      end,
    },
    {
      id = "no_quote",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 50,
      holds = function(o)
        return o.quoted_hop_limit == nil or o.from_target == nil
      end,
      say = function(o)
        return text(o.icmp_name) .. " from " .. count_text(o.distance, "hop")
          .. " away; the packet that it quotes cannot be read"
      end,
    },
    {
      id = "not_its_packet",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 60,
      holds = function(o)
        return o.to_prober ~= nil and not o.to_prober
      end,
      say = function(o)
        return text(o.icmp_name)
          .. "; the packet that it quotes was not sent by the host that it goes to: address "
          .. "translation, or invented"
      end,
    },
    {
      id = "undefined",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 50,
      holds = function(o)
        return o.icmp_class == "unknown"
      end,
      say = function(o)
        return text(o.icmp_name) .. " is not a known ICMP error; from " .. count_text(o.distance, "hop") .. " away"
      end,
    },
    {
      id = "starts_from_sixty",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 40,
      holds = function(o)
        return o.from_target ~= nil and o.target_nearest ~= nil and o.distance ~= nil
          and o.quoted_beyond ~= nil and o.from_target and o.target_nearest - o.distance == 4
          and o.quoted_beyond == o.distance
      end,
      say = function(o)
        return text(o.icmp_name) .. " in the host's name from " .. count_text(o.distance, "hop")
          .. " away (hop limit " .. text(o.hop_limit)
          .. "), as far as the probe had come (quoted hop limit " .. text(o.quoted_hop_limit)
          .. "); the host's other packets look 4 hops further, as they do where they start from "
          .. "60: the host, or a device 4 hops before it"
      end,
    },
    {
      id = "in_the_hosts_name",
      verdict = "forged",
      origin = "middlebox",
      suspicion = 97,
      holds = function(o)
        return o.from_target ~= nil and o.target_gap ~= nil and o.distance ~= nil and o.target_nearest ~= nil
          and o.quoted_short ~= nil and o.target_place_known ~= nil and o.from_target
          and o.target_gap >= 2 and o.distance < o.target_nearest and o.quoted_short >= 2
          and o.target_place_known
      end,
      say = function(o)
        return text(o.icmp_name) .. " in the host's name from " .. count_text(o.distance, "hop")
          .. " away (hop limit " .. text(o.hop_limit) .. "); the host is "
          .. count_text(o.target_nearest, "hop") .. " away, and the probe had come only "
          .. count_text(o.quoted_beyond, "hop") .. " beyond the capture point (quoted hop limit "
          .. text(o.quoted_hop_limit) .. "): it never reached the host"
      end,
    },
    {
      id = "never_came_near",
      verdict = "likely forged",
      origin = "middlebox",
      suspicion = 88,
      holds = function(o)
        return o.from_target ~= nil and o.quoted_short ~= nil and o.quoted_beyond ~= nil
          and o.probe_packets ~= nil and o.target_place_known ~= nil and o.from_target
          and o.quoted_short >= 3 and o.quoted_beyond <= 1 and o.probe_packets >= 1 and o.target_place_known
      end,
      say = function(o)
        return text(o.icmp_name) .. " in the host's name; the probe had come only "
          .. count_text(o.quoted_beyond, "hop")
          .. " beyond the capture point when it was rejected (quoted hop limit "
          .. text(o.quoted_hop_limit) .. "), and the host is " .. count_text(o.target_nearest, "hop")
          .. " away"
      end,
    },
    {
      id = "short_of_the_host",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 60,
      holds = function(o)
        return o.from_target ~= nil and o.quoted_short ~= nil and o.from_target and o.quoted_short >= 2
      end,
      say = function(o)
        return text(o.icmp_name) .. " in the host's name; by the quoted hop limit " .. text(o.quoted_hop_limit)
          .. " the probe fell " .. count_text(o.quoted_short, "hop")
          .. " short of the host: a device in between, another route there than back, or hop "
          .. "limits rewritten on the way"
      end,
    },
    {
      id = "host_out_of_place",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 55,
      holds = function(o)
        return o.from_target ~= nil and o.target_gap ~= nil and o.from_target and o.target_gap >= 2
      end,
      say = function(o)
        return text(o.icmp_name) .. " in the host's name from " .. count_text(o.distance, "hop")
          .. " away (hop limit " .. text(o.hop_limit) .. "); the host is "
          .. count_text(o.target_distance, "hop") .. " away; the quoted hop limit "
          .. text(o.quoted_hop_limit) .. " does not say that the probe fell short of it"
      end,
    },
    {
      id = "one_hop_off",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 40,
      holds = function(o)
        return o.from_target ~= nil and o.target_gap ~= nil and o.from_target and o.target_gap == 1
      end,
      say = function(o)
        return text(o.icmp_name) .. " in the host's name from " .. count_text(o.distance, "hop")
          .. " away, one hop off the host's other packets: a change of route and a device next "
          .. "to the host look the same"
      end,
    },
    {
      id = "host_itself",
      verdict = "genuine",
      origin = "endpoint",
      suspicion = 3,
      holds = function(o)
        return o.from_target ~= nil and o.target_gap ~= nil and o.distance ~= nil and o.from_target
          and o.target_gap == 0 and o.distance >= 3 and o.quoted_short ~= nil
      end,
      say = function(o)
        return text(o.icmp_name) .. " from the host itself: " .. count_text(o.distance, "hop")
          .. " away (hop limit " .. text(o.hop_limit)
          .. "), like its other packets; the probe had travelled "
          .. count_text(o.quoted_travelled, "hop") .. " (quoted " .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "host_itself_near",
      verdict = "likely genuine",
      origin = "endpoint",
      suspicion = 12,
      holds = function(o)
        return o.from_target ~= nil and o.target_gap ~= nil and o.from_target and o.target_gap == 0
      end,
      say = function(o)
        return text(o.icmp_name) .. " from " .. count_text(o.distance, "hop") .. " away (hop limit "
          .. text(o.hop_limit) .. "), like the host's other packets (quoted " .. text(o.quoted_hop_limit)
          .. ")"
      end,
    },
    {
      id = "host_unseen",
      verdict = "likely genuine",
      origin = "endpoint",
      suspicion = 22,
      holds = function(o)
        return o.from_target ~= nil and o.quoted_beyond ~= nil and o.distance ~= nil and o.from_target
          and o.quoted_beyond == o.distance
      end,
      say = function(o)
        return text(o.icmp_name) .. " from the probed address, " .. count_text(o.distance, "hop")
          .. " away (hop limit " .. text(o.hop_limit)
          .. "), just as far as the probe had come (quoted hop limit " .. text(o.quoted_hop_limit)
          .. "); the capture shows nothing else of this host"
      end,
    },
    {
      id = "host_unknown",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 45,
      holds = function(o)
        return o.from_target ~= nil and o.from_target
      end,
      say = function(o)
        return text(o.icmp_name) .. " in the host's name from " .. count_text(o.distance, "hop")
          .. " away; the capture shows nothing else of this host to compare with: the host, or "
          .. "a device in its name"
      end,
    },
    {
      id = "source_out_of_place",
      verdict = "unclear",
      origin = "unknown",
      suspicion = 55,
      holds = function(o)
        return o.source_gap ~= nil and o.source_packets ~= nil and o.source_share ~= nil and o.source_gap >= 2
          and o.source_packets >= 3 and o.source_share >= 90
      end,
      say = function(o)
        return text(o.icmp_name) .. " from " .. count_text(o.distance, "hop")
          .. " away; other packets of the address that it names as its source come from "
          .. count_text(o.source_gap, "hop") .. " off"
      end,
    },
    {
      id = "prohibited",
      verdict = "genuine",
      origin = "middlebox",
      suspicion = 2,
      holds = function(o)
        return o.icmp_class == "prohibited"
      end,
      say = function(o)
        return text(o.icmp_name) .. ": a rule of a firewall or router, sent in its own name from "
          .. count_text(o.distance, "hop") .. " away (hop limit " .. text(o.hop_limit)
          .. "); the probe had travelled " .. count_text(o.quoted_travelled, "hop") .. " (quoted "
          .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "port_refused_for_host",
      verdict = "genuine",
      origin = "middlebox",
      suspicion = 3,
      holds = function(o)
        return o.target_gap ~= nil and o.icmp_class == "port" and o.target_gap >= 1
      end,
      say = function(o)
        return text(o.icmp_name) .. " from another address than the probed one, "
          .. count_text(o.distance, "hop") .. " away (hop limit " .. text(o.hop_limit)
          .. "), while the host is " .. count_text(o.target_distance, "hop")
          .. " away: a firewall rejects; the probe had travelled "
          .. count_text(o.quoted_travelled, "hop") .. " (quoted " .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "tcp_port_refused",
      verdict = "genuine",
      origin = "middlebox",
      suspicion = 3,
      holds = function(o)
        return o.quoted_protocol ~= nil and o.icmp_class == "port" and o.quoted_protocol == "tcp"
      end,
      say = function(o)
        return text(o.icmp_name) .. " about a TCP port from another address than the probed one, "
          .. count_text(o.distance, "hop") .. " away (hop limit " .. text(o.hop_limit)
          .. "): a firewall rejects; the probe had travelled " .. count_text(o.quoted_travelled, "hop")
          .. " (quoted " .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "port_refused_on_the_way",
      verdict = "likely genuine",
      origin = "middlebox",
      suspicion = 10,
      holds = function(o)
        return o.quoted_beyond ~= nil and o.distance ~= nil and o.icmp_class == "port"
          and o.quoted_beyond - o.distance == 1
      end,
      say = function(o)
        return text(o.icmp_name) .. " from another address than the probed one, "
          .. count_text(o.distance, "hop") .. " away (hop limit " .. text(o.hop_limit)
          .. "); it had already counted down the probe's hop limit (" .. text(o.quoted_hop_limit)
          .. "), as only a forwarding device does: a firewall rejects"
      end,
    },
    {
      id = "port_by_another_address",
      verdict = "likely genuine",
      origin = "unknown",
      suspicion = 15,
      holds = function(o)
        return o.icmp_class == "port"
      end,
      say = function(o)
        return text(o.icmp_name) .. " from another address than the probed one, "
          .. count_text(o.distance, "hop") .. " away (hop limit " .. text(o.hop_limit) .. ") (quoted "
          .. text(o.quoted_hop_limit)
          .. "): a firewall rejects, or the host answers by another of its addresses"
      end,
    },
    {
      id = "policy_as_unreachable",
      verdict = "genuine",
      origin = "middlebox",
      suspicion = 3,
      holds = function(o)
        return o.target_idle_us ~= nil and o.icmp_class == "unreachable" and o.target_idle_us <= 10000000
      end,
      say = function(o)
        return text(o.icmp_name) .. " from " .. count_text(o.distance, "hop") .. " away (hop limit "
          .. text(o.hop_limit) .. ") about a host that answered " .. time_text(o.target_idle_us)
          .. " before: a rule; the probe had travelled " .. count_text(o.quoted_travelled, "hop")
          .. " (quoted " .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "policy_as_unreachable_too",
      verdict = "genuine",
      origin = "middlebox",
      suspicion = 5,
      holds = function(o)
        return o.source_refuses ~= nil and o.icmp_class == "unreachable" and o.source_refuses
      end,
      say = function(o)
        return text(o.icmp_name) .. " from " .. count_text(o.distance, "hop") .. " away (hop limit "
          .. text(o.hop_limit)
          .. ") by an address that also refuses packets to this host by a rule; the probe had "
          .. "travelled " .. count_text(o.quoted_travelled, "hop") .. " (quoted "
          .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "policy_as_unreachable_later",
      verdict = "likely genuine",
      origin = "middlebox",
      suspicion = 10,
      holds = function(o)
        return o.target_after ~= nil and o.port_answers ~= nil and o.icmp_class == "unreachable"
          and (o.target_after or o.port_answers)
      end,
      say = function(o)
        return text(o.icmp_name) .. " from " .. count_text(o.distance, "hop") .. " away (hop limit "
          .. text(o.hop_limit)
          .. ") about a host that answers elsewhere in the capture: a rule, or the host was "
          .. "down for a while; the probe had travelled " .. count_text(o.quoted_travelled, "hop")
          .. " (quoted " .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "unreachable",
      verdict = "genuine",
      origin = "router",
      suspicion = 2,
      holds = function(o)
        return o.icmp_class == "unreachable"
      end,
      say = function(o)
        return text(o.icmp_name) .. " from a router " .. count_text(o.distance, "hop") .. " away (hop limit "
          .. text(o.hop_limit) .. "); the probe had travelled " .. count_text(o.quoted_travelled, "hop")
          .. " (quoted " .. text(o.quoted_hop_limit) .. ")"
      end,
    },
    {
      id = "hops_used_up",
      verdict = "genuine",
      origin = "router",
      suspicion = 2,
      holds = function(o)
        return o.quoted_hop_limit ~= nil and o.icmp_class == "path" and o.quoted_hop_limit <= 1
      end,
      say = function(o)
        return text(o.icmp_name) .. " from a router " .. count_text(o.distance, "hop") .. " away (hop limit "
          .. text(o.hop_limit) .. "); the probe had hop limit " .. text(o.quoted_hop_limit)
          .. " left, as in traceroute or a routing loop"
      end,
    },
    {
      id = "on_the_way",
      verdict = "genuine",
      origin = "router",
      suspicion = 2,
      holds = function(o)
        return o.icmp_class == "path"
      end,
      say = function(o)
        return text(o.icmp_name) .. " from a router " .. count_text(o.distance, "hop") .. " away (hop limit "
          .. text(o.hop_limit) .. "); the probe had travelled " .. count_text(o.quoted_travelled, "hop")
          .. " (quoted " .. text(o.quoted_hop_limit) .. ")"
      end,
    },
  }

  -- Verdict ---------------------------------------------------------------------------------------------------

  local PRIOR = -70

  -- The scores at which each verdict begins; preferences may move them.
  LIMITS = {
    forged = 450,
    likely_forged = 200,
    likely_genuine = -150,
    genuine = -350,
  }

  -- The scores from which suspicion is at least 1, 2 ... 100: the logistic curve, as a table that postproc shares.
  SUSPICION_LIMITS = {
    -529, -418, -366, -332, -306, -284, -267, -251, -238, -225, -214, -204, -195, -186, -177, -170,
    -162, -155, -148, -142, -136, -130, -124, -118, -113, -107, -102, -97, -92, -87, -82, -78,
    -73, -69, -64, -60, -55, -51, -47, -43, -38, -34, -30, -26, -22, -18, -14, -10,
    -6, -2, 2, 6, 10, 14, 18, 22, 26, 30, 34, 38, 43, 47, 51, 55,
    60, 64, 69, 73, 78, 82, 87, 92, 97, 102, 107, 113, 118, 124, 130, 136,
    142, 148, 155, 162, 170, 177, 186, 195, 204, 214, 225, 238, 251, 267, 284, 306,
    332, 366, 418, 529,
  }

  function suspicion_of(score)
    local suspicion = 0
    while suspicion < #SUSPICION_LIMITS and score >= SUSPICION_LIMITS[suspicion + 1] do
      suspicion = suspicion + 1
    end
    return suspicion
  end

  local function verdict_of(score)
    if score >= LIMITS.forged then
      return "forged"
    elseif score >= LIMITS.likely_forged then
      return "likely forged"
    elseif score <= LIMITS.genuine then
      return "genuine"
    elseif score <= LIMITS.likely_genuine then
      return "likely genuine"
    end
    return "unclear"
  end

  local function origin_of(score, front_end)
    if score >= LIMITS.likely_forged then
      return "middlebox"
    elseif front_end then
      return "front-end"
    elseif score <= LIMITS.likely_genuine then
      return "endpoint"
    end
    return "unknown"
  end

  -- The reason for an unclear verdict where no other holds.
  local NO_REASON = {
    say = function()
      return "too few signs; to decide: capture at the named sender as well"
    end,
  }

  -- The first of the statements that holds.
  local function first(statements, o)
    for _, statement in ipairs(statements) do
      if statement.holds(o) then
        return statement
      end
    end
  end

  -- The price of an explanation; nil if it is not possible.
  local function price_of(explanation, o)
    local price
    for _, case in ipairs(explanation.cases) do
      if (not price or case.price < price) and case.holds(o) then
        price = case.price
      end
    end
    return price
  end

  -- How much the score changes if an explanation is taken at that price; 0 if it gains nothing.
  local function change_of(explanation, price, fired)
    local sign, explained = explanation.origin == "middlebox" and 1 or -1, 0
    for _, rule in ipairs(fired) do
      if rule.weight * sign < 0 and explanation.explains[rule.id] then
        explained = explained + rule.weight
      end
    end
    local change = -explained - sign * price
    return change * sign > 0 and change or 0
  end

  -- The explanation that changes the score most, and by how much; among equals the first.
  local function explained(o, fired)
    local best, most = nil, 0
    for _, explanation in ipairs(EXPLANATIONS) do
      local price = price_of(explanation, o)
      local change = price and change_of(explanation, price, fired) or 0
      if math.abs(change) > math.abs(most) then
        best, most = explanation, change
      end
    end
    return best, most
  end

  local function reason_of(o, explanation)
    if not explanation then
      return (first(REASONS, o) or NO_REASON).say(o)
    end
    local other = explanation.origin == "middlebox" and "the sender did"
      or "another device sent it"
    local words = "two explanations fit: %s, or %s; to decide: capture at the named sender as well"
    return string.format(words, explanation.title, other)
  end

  local function cause_of(o, explanation)
    local accused = o.origin == "middlebox"
    local decided = o.verdict ~= "unclear"
    if decided and explanation and explanation.cause and accused == (explanation.origin == "middlebox") then
      return explanation.cause(o)
    end
    local cause = first(CAUSES, o)
    return cause and cause.say(o) or ""
  end

  -- Everything about one reset that follows from its observables `o`; adds definitions, verdict and origin to them.
  function judge(o)
    define(o)
    local score, front_end, fired, ids = PRIOR, false, {}, {}
    for _, rule in ipairs(RULES) do
      if rule.holds(o) then
        score = score + rule.weight
        front_end = front_end or rule.origin == "front-end"
        fired[#fired + 1] = rule
        ids[#ids + 1] = rule.id
      end
    end
    local explanation, change = explained(o, fired)
    if explanation then
      score = score + change
      front_end = front_end or explanation.origin == "front-end"
      fired[#fired + 1] = { id = explanation.id, weight = change, say = explanation.say }
      ids[#ids + 1] = explanation.id
    end
    o.verdict, o.origin = verdict_of(score), origin_of(score, front_end)
    local device, where = first(DEVICES, o), first(WHERES, o)
    return {
      score = score,
      suspicion = suspicion_of(score),
      verdict = o.verdict,
      origin = o.origin,
      fired = fired,
      evidence = table.concat(ids, ","),
      reason = o.verdict == "unclear" and reason_of(o, explanation) or "",
      cause = cause_of(o, explanation),
      device = device and string.format("%s (%d %%)", device.say(o), device.confidence) or "",
      where = where and where.say(o) or "",
      measured = where ~= nil and where.id == "nearer", -- whether hop limits measure the distance
    }
  end

  -- Verdict of the most suspicious reset of a flow. In the first pass over the frames it grows with each reset judged;
  -- afterwards all resets are judged once more, by the whole file.
  function flow_verdict(flow)
    if not reading and flow.judged_at ~= last_frame then
      flow.judged_at, flow.worst = last_frame, nil
      local frame = flow.last_reset
      while frame do
        local reset = reset_of(frame)
        local score = judge(observe(reset)).score
        flow.worst = math.max(flow.worst or score, score)
        frame = reset.previous_reset
      end
    end
    return flow.worst and verdict_of(flow.worst)
  end

  -- Where no entry holds.
  local ICMP_UNJUDGED = {
    verdict = "unclear",
    origin = "unknown",
    suspicion = 50,
    say = function()
      return "the rulebook has no entry for it"
    end,
  }

  -- Everything about one ICMP error that follows from its observables `o`.
  function judge_icmp(o)
    define_icmp(o)
    return first(ICMP_ENTRIES, o) or ICMP_UNJUDGED
  end
end

local take_limits
do
  -- What preferences change in judging --------------------------------------------------------------------------

  local prefs, RULEBOOK_LIMITS = rstorigin.prefs, {}
  for name, score in pairs(LIMITS) do
    RULEBOOK_LIMITS[name] = score
  end

  -- The score for a limit in percent. A limit that the user did not change has the score of the rulebook.
  local function limit_of(name)
    local percent = math.max(0, math.min(99, math.floor(prefs[name])))
    if percent == DEFAULT_LIMITS[name] then
      return RULEBOOK_LIMITS[name]
    elseif name == "genuine" or name == "likely_genuine" then
      return SUSPICION_LIMITS[percent + 1] - 1
    end
    return SUSPICION_LIMITS[math.max(1, percent)]
  end

  function take_limits()
    for name in pairs(LIMITS) do
      LIMITS[name] = limit_of(name)
    end
    THRESHOLDS.hop_tolerance = math.max(1, math.floor(prefs.hop_tolerance))
    THRESHOLDS.baseline_packets = math.max(1, math.floor(prefs.baseline_packets))
    flow_store.capacity = math.max(2, math.floor(prefs.flows))
  end
end

local address_text, flow_filter
do
  -- Addresses as text ---------------------------------------------------------------------------------------

  -- The start and length of the longest run of zero groups in an IPv6 address (RFC 5952 section 4.2).
  local function longest_zeros(groups)
    local best, length, start = nil, 1, nil
    for index = 1, #groups + 1 do
      if groups[index] == 0 then
        start = start or index
        if index - start + 1 > length then
          best, length = start, index - start + 1
        end
      else
        start = nil
      end
    end
    return best, length
  end

  -- The text of an address of four or sixteen bytes.
  function address_text(bytes)
    if #bytes == 4 then
      return string.format("%d.%d.%d.%d", byte(bytes, 1, 4))
    end
    local groups = {}
    for index = 1, #bytes, 2 do
      local high, low = byte(bytes, index, index + 1)
      groups[#groups + 1] = high * 256 + low
    end
    local zeros, length = longest_zeros(groups)
    local words = {}
    for index, group in ipairs(groups) do
      words[index] = string.format("%x", group)
    end
    if not zeros then
      return table.concat(words, ":")
    end
    return table.concat(words, ":", 1, zeros - 1) .. "::" .. table.concat(words, ":", zeros + length)
  end

  -- A display filter for the flow between the ends in `key`: flow_filter in postproc/flows/display_filter.py.
  function flow_filter(key)
    local src, sport, dst, dport = ends_of(key)
    local ip = #src == 4 and "ip" or "ipv6"
    return string.format("%s.addr == %s && %s.addr == %s && %s.port == %d && %s.port == %d",
      ip, address_text(src), ip, address_text(dst), "tcp", sport, "tcp", dport)
  end
end

local judging = false -- whether the plugin is on
local reset_state, prepare
do
  -- Dissector -------------------------------------------------------------------------------------------------

  local warned = false
  local revisited = false -- whether Wireshark has shown frames again after it read them
  local fields_wanted = false -- whether Wireshark needed our fields when we last asked

  function reset_state()
    forget_flows()
    forget_ip_id_runs()
    forget_origins()
    forget_counterparts()
    forget_resets()
    last_frame, newest_us, begin_us = 0, 0, 0
    first_us, first_ns = nil, nil
    errors, refusing = {}, {}
  end

  local function warn_once(...)
    if not (warned or in_window) then
      warned = true
      io.stderr:write("rstorigin: ", ...)
    end
  end

  -- Runs before a file is read, and in tshark again after it.
  function rstorigin.init()
    if not revisited and next(resets) and not summary_follows() then
      warn_once("each verdict uses only the packets before the reset, since tshark read them once; ",
        "for verdicts that use the whole file: -2 with a display filter, such as -Y rstorigin.verdict\n")
    end
    revisited = false
    reset_state()
    prepare()
  end

  -- Notes that the plugin reads a frame for the first time. Returns the capture time.
  local function begin_frame(pinfo, number)
    local time_us = capture_time(pinfo)
    if last_frame == 0 then
      begin_us = time_us
      if pinfo.visited then -- the first pass did not call this dissector
        warn_once("the first pass of this two-pass run built no fields, so each verdict uses only what came before it",
          "; add a display filter, such as -Y \"tcp || icmp || icmpv6\"\n")
      end
    end
    last_frame = number
    if time_us > newest_us then
      newest_us = time_us
    end
    return time_us
  end

  -- A flow that was silent for this long counts as ended: no later packet changes its verdicts.
  local SETTLED_US = 60000000

  -- A verdict is provisional while packets of the flow keep coming: they may change it.
  local function state_of(flow)
    local last_us = unpacked_reset(flow.last_reset).time_us
    for _, side in ipairs { flow.side, flow.peer } do
      last_us = math.max(last_us, side.last_us or last_us)
    end
    local silent_us = newest_us - last_us
    local latest = known_side(flow.key)
    if silent_us >= SETTLED_US or not latest or latest.flow.first_frame ~= flow.first_frame then
      return "final"
    end
    return string.format("provisional: of this flow a packet came %.3f s before the newest", silent_us / 1000000)
  end

  local function show_reset(tree, pinfo, reset)
    local o, flow = observe(reset), reset.flow
    local judgement = judge(o)
    flow.worst = math.max(flow.worst or judgement.score, judgement.score)
    add_judgement(tree, pinfo, o, judgement, baseline_frame(reset))
    add_text(tree, "state", state_of(flow))
    add_text(tree, "flow_verdict", flow_verdict(flow))
  end

  local function show_segment(tree)
    local side = side_of(current.key, current.frame)
    local baseline, verdict
    if side then
      baseline, verdict = most_frequent(side.hop_limits), flow_verdict(side.flow)
    end
    add_ordinary(tree, current.hop_limit, baseline, verdict)
  end

  -- The columns of an ICMP error that follow from its observables, but are none.
  local function derived_columns(o)
    if not o.hop_baseline then
      return { baseline_source = "none" }
    end
    return {
      hop_delta = o.hop_limit - o.hop_baseline,
      sender_distance = distance(o.hop_baseline),
      baseline_source = "host",
    }
  end

  local function show_icmp(tree, pinfo)
    local context = errors[current.frame]
    local baseline, baseline_at = host_baseline(known_host(current.src))
    if context then
      local o = observe_error(context)
      add_icmp_judgement(tree, pinfo, o, derived_columns(o), judge_icmp(o), baseline_at)
    else
      add_ordinary(tree, current.hop_limit, baseline)
    end
  end

  local own_dissector

  -- Whether a filter, a column or the packet details need our fields.
  local function needs_fields(tree)
    own_dissector = own_dissector or Dissector.get("rstorigin")
    return tree:referenced(own_dissector)
  end

  -- Says once that the plugin is off, where tshark needs its fields.
  local function say_that_it_is_off(tree)
    if last_frame == 0 and needs_fields(tree) then
      warn_once("the plugin is off in this profile: add -C \"RST origin\", or -o rstorigin.judge:TRUE\n")
    end
    last_frame = 1
  end

  local function show_packet(tree, pinfo, number)
    local subtree = tree:add(rstorigin)
    subtree:set_generated()
    if resets[number] then
      show_reset(subtree, pinfo, reset_of(number))
    elseif current.kind == TCP then
      show_segment(subtree)
    else
      show_icmp(subtree, pinfo)
    end
  end

  function rstorigin.dissector(tvb, pinfo, tree)
    if not judging then
      say_that_it_is_off(tree)
      return
    end
    local number = pinfo.number
    reading = number > last_frame -- otherwise the plugin read this frame before, perhaps with the whole file
    -- The question is slow. Outside the window, the answer is the same for all frames of a pass that reads the file.
    if in_window or not reading or last_frame == 0 then
      fields_wanted = needs_fields(tree)
    end
    local wanted = fields_wanted
    if not reading then
      revisited = true
      wanted = wanted or resets[number] or errors[number] -- Wireshark does not say whether it needs expert information
      if not wanted then
        return
      end
    end
    local key, hop_limit, link, flag_set, seq, ack, payload_len, window, ip_id, tsval = decode_fast(tvb, pinfo)
    if key and reading and not wanted and not (flag_set.syn or flag_set.reset) then -- nothing to show: most packets
      take_authentic(sides[key] or known_side(key) or new_flow(key, number), number, begin_frame(pinfo, number),
        key, hop_limit, link, flag_set, seq, ack, payload_len, window, ip_id, tsval)
      return
    end

    current.frame = number
    if key then
      set_segment(key, hop_limit, link, flag_set, seq, ack, payload_len, window, ip_id, tsval)
    elseif not decode_fields() then
      return
    end
    if reading then
      current.time_us = begin_frame(pinfo, number)
      if current.kind == ICMP_ERROR then
        take_error(current)
      else
        follow(current)
      end
      wanted = wanted or current.reset or current.kind == ICMP_ERROR
    end
    if in_window and tree.visible then
      selected.frame, selected.key = number, current.kind == TCP and current.key or nil
    end
    if wanted and (current.kind == TCP or current.icmp) then
      show_packet(tree, pinfo, number)
    end
  end

  -- On or off --------------------------------------------------------------------------------------------------

  -- A plugin that is installed judges only where a preference says so, as that of the profile does: every field that is
  -- open costs, in every file. A plugin that -X lua_script names always judges.

  local in_use = false -- whether Wireshark has begun to read a file: from then on no field can be opened
  local registered = false

  local function register()
    if not registered then
      registered = true
      register_postdissector(rstorigin)
    end
  end

  -- Linux, flannel and Cilium send VXLAN to their own port, of which Wireshark knows nothing.
  local function add_vxlan_port()
    local ports = DissectorTable.get("udp.port")
    local vxlan = ports:get_dissector(4789)
    if vxlan then
      ports:add(8472, vxlan)
    end
  end

  local function switch_on()
    open_fields()
    add_vxlan_port()
    judging = true
    register()
  end

  local function is_wanted()
    return not installed or rstorigin.prefs.judge or (rstorigin.prefs.summary and not in_window)
  end

  -- When a file is about to be read, perhaps again.
  function prepare()
    in_use = true
    if in_window then
      if judging and not is_wanted() then -- Wireshark does not say that another profile has other preferences
        reload_lua_plugins()
      end
    elseif not judging then -- only to say that the plugin is off, where somebody asks for its fields
      register()
    end
  end

  -- When a preference changes, Wireshark dissects all packets again, and the plugin judges them again.
  function rstorigin.prefs_changed()
    take_preferences()
    take_limits()
    if not judging and is_wanted() then
      if not in_use then
        switch_on()
      elseif in_window then -- the plugin is loaded anew, so that it can open fields
        reload_lua_plugins()
      end
    end
  end

  if not installed then
    switch_on()
  end
end

-- The most suspicious verdict first
local VERDICTS = {
  "forged",
  "likely forged",
  "unclear",
  "likely genuine",
  "genuine",
}
local resets_by_sender, frequencies, grouped, verdict_counts, add_senders
do
  -- Presumed senders: who sent the resets -----------------------------------------------------------------------

  -- One entry for each presumed sender, as in postproc/report/presumed_senders.py: suspect resets are of one sender if
  -- they were sent from one place in one form.

  local WHO = { "in between", "front-end", "unknown", "host" } -- in this order
  local PLACES = {
    ["in between"] = "at an unknown distance",
    ["front-end"] = "a front-end",
    ["unknown"] = "not known",
    ["host"] = "the named hosts",
  }
  local NO_DEVICE = {
    ["in between"] = "not recognised",
    ["front-end"] = "not recognised",
    ["unknown"] = "-",
    ["host"] = "-",
  }
  local IN_OWN_NAME = {
    ["unknown"] = true,
    ["host"] = true,
  }
  local DEVICE = "^(.*) %((%d+) %%%)$" -- name, and how sure that is

  local function device_of(reset)
    local name, percent = string.match(reset.device, DEVICE)
    return name or (reset.device ~= "" and reset.device or nil), tonumber(percent)
  end

  -- Kind of sender, known device, and distance where the hop limit measures it.
  local function key_of(reset)
    if ACCUSED[reset.verdict] then
      return "in between", device_of(reset) or nil, reset.measured and reset.distance or nil
    elseif reset.origin == "front-end" then
      return "front-end", device_of(reset) or nil
    end
    return reset.verdict == "unclear" and "unknown" or "host"
  end

  -- The group of a key, a new one if there is none. `groups` are in the order of the capture, and known by their keys.
  local function group_of(groups, kind, device, hops)
    local key = kind .. "|" .. (device or "") .. "|" .. (hops or "")
    if not groups[key] then
      groups[key] = { who = kind, device = device, hops = hops, resets = {}, at = #groups + 1 }
      groups[key].in_own_name = IN_OWN_NAME[kind]
      groups[#groups + 1] = groups[key]
    end
    return groups[key]
  end

  -- Joins what one known form sent from many distances: there the hop limits are made up.
  local function join_many_distances(groups)
    local alike, joined = {}, {}
    for _, group in ipairs(groups) do
      if group.device and group.hops then
        local key = group.who .. "|" .. group.device
        alike[key] = alike[key] or {}
        table.insert(alike[key], group)
      end
    end
    for _, group in ipairs { table.unpack(groups) } do
      local same = group.device and group.hops and alike[group.who .. "|" .. group.device]
      if same and #same >= 4 then
        local whole = group_of(groups, group.who, group.device)
        for _, reset in ipairs(group.resets) do
          whole.resets[#whole.resets + 1] = reset
        end
        table.sort(whole.resets, function(one, other)
          return one.frame < other.frame
        end)
        joined[group] = true
      end
    end
    local list = {}
    for _, group in ipairs(groups) do
      if not joined[group] then
        list[#list + 1] = group
      end
    end
    return list
  end

  -- The resets of each presumed sender. `judged` are the resets of the whole file, in its order.
  function resets_by_sender(judged)
    local groups = {}
    for _, reset in ipairs(judged) do
      local group = group_of(groups, key_of(reset))
      group.resets[#group.resets + 1] = reset
    end
    return join_many_distances(groups)
  end

  -- Counts of values: a list with the most frequent first, equal ones in the order in which they came.
  function frequencies(values)
    local counts, list = {}, {}
    for _, one in ipairs(values) do
      if not counts[one] then
        counts[one] = { value = one, number = 0, at = #list }
        list[#list + 1] = counts[one]
      end
      counts[one].number = counts[one].number + 1
    end
    table.sort(list, function(one, other)
      return one.number > other.number or (one.number == other.number and one.at < other.at)
    end)
    return list
  end

  local WELL_KNOWN = 1023

  -- Both ends of the connection, in an order that does not depend on which of them a reset names.
  local function connection_of(reset)
    local one, other = string.format("%s %d", reset.src, reset.sport), string.format("%s %d", reset.dst, reset.dport)
    return one < other and one .. "|" .. other or other .. "|" .. one
  end

  -- The connections whose resets name one sender.
  local function one_sided_connections(judged)
    local named, two_sided = {}, {}
    for _, reset in ipairs(judged) do
      local flow, name = connection_of(reset), string.format("%s %d", reset.src, reset.sport)
      two_sided[flow] = two_sided[flow] or (named[flow] ~= nil and named[flow] ~= name)
      named[flow] = name
    end
    return function(reset)
      return not two_sided[connection_of(reset)]
    end
  end

  -- The client of the connection and the port of the service.
  local function service_of(reset, one_sided)
    local names_client = reset.sport > reset.dport
    if reset.end_reason == "tcp-rst-from-server" then
      names_client = false
    elseif one_sided and reset.sport > WELL_KNOWN then
      names_client = true
    end
    if names_client then
      return reset.src, reset.dport
    end
    return reset.dst, reset.sport
  end

  -- A number with a comma before every three digits: 12,345.
  function grouped(number)
    local digits = string.format("%d", number)
    return (string.gsub(string.reverse(string.gsub(string.reverse(digits), "(%d%d%d)", "%1,")), "^,", ""))
  end

  local function moment(time_us)
    return os.date("!%Y-%m-%d %H:%M:%S", math.floor(time_us / 1000000))
  end

  local function device_text(sender)
    if not sender.device then
      return NO_DEVICE[sender.who]
    end
    local least, most
    for _, reset in ipairs(sender.resets) do
      local _, percent = device_of(reset)
      if percent then
        least, most = math.min(percent, least or percent), math.max(percent, most or percent)
      end
    end
    local sure = least == most and string.format("%d %%", least) or string.format("%d to %d %%", least, most)
    return sender.device .. " (" .. sure .. ")"
  end

  local function place_text(sender)
    if not sender.hops then
      return PLACES[sender.who]
    end
    return string.format(sender.hops == 1 and "%d hop away" or "%d hops away", sender.hops)
  end

  -- Adds to a group what the summary shows of it.
  local function count(sender, is_one_sided)
    local names, clients, ports, known = {}, {}, {}, {}
    sender.verdicts = {}
    for _, reset in ipairs(sender.resets) do
      local client, port = service_of(reset, is_one_sided(reset))
      local service = string.format("%s %d", client, port)
      names[#names + 1], clients[#clients + 1] = reset.src, client
      if not known[service] then
        known[service] = #ports + 1
      end
      ports[#ports + 1] = { service = known[service], port = port }
      sender.verdicts[reset.verdict] = (sender.verdicts[reset.verdict] or 0) + 1
      sender.first = math.min(sender.first or reset.time_us, reset.time_us)
      sender.last = math.max(sender.last or reset.time_us, reset.time_us)
    end
    table.sort(ports, function(one, other)
      return one.service < other.service
    end)
    for index, each in ipairs(ports) do
      ports[index] = each.port
    end
    sender.names, sender.clients, sender.ports = #frequencies(names), #frequencies(clients), frequencies(ports)
  end

  local function ports_text(ports)
    local shown = {}
    for index = 1, math.min(#ports, 4) do
      shown[index] = string.format("%d", ports[index].value)
    end
    return table.concat(shown, ", ") .. (#ports > #shown and ", ..." or "")
  end

  function verdict_counts(counts)
    local words = {}
    for _, verdict in ipairs(VERDICTS) do
      if counts[verdict] then
        words[#words + 1] = grouped(counts[verdict]) .. " " .. verdict
      end
    end
    return table.concat(words, ", ")
  end

  -- The presumed senders: those in between first, by how many resets they forged; then the others.
  local function presumed_senders(judged)
    local senders, order, is_one_sided = resets_by_sender(judged), {}, one_sided_connections(judged)
    for at, kind in ipairs(WHO) do
      order[kind] = at
    end
    for _, sender in ipairs(senders) do
      count(sender, is_one_sided)
      sender.rank = {
        order[sender.who], -(sender.verdicts["forged"] or 0), -#sender.resets, sender.first, sender.at,
      }
    end
    table.sort(senders, function(one, other)
      for index, rank in ipairs(one.rank) do
        if rank ~= other.rank[index] then
          return rank < other.rank[index]
        end
      end
      return false
    end)
    return senders
  end

  -- Adds rows of cells to `lines`, with two spaces between the columns.
  local function add_rows(lines, rows)
    local widths = {}
    for _, row in ipairs(rows) do
      for index, cell in ipairs(row) do
        widths[index] = math.max(widths[index] or 0, #cell)
      end
    end
    for _, row in ipairs(rows) do
      local cells = {}
      for index, cell in ipairs(row) do
        cells[index] = cell .. string.rep(" ", index < #row and widths[index] - #cell or 0)
      end
      lines[#lines + 1] = "  " .. table.concat(cells, "  ")
    end
  end

  local function cells_of(sender)
    return {
      place_text(sender),
      device_text(sender),
      grouped(#sender.resets),
      grouped(sender.names),
      grouped(sender.clients),
      ports_text(sender.ports),
      moment(sender.first),
      moment(sender.last),
      verdict_counts(sender.verdicts),
    }
  end

  local COLUMNS = { "sent from", "device", "resets", "names", "clients", "ports", "first", "last", "verdicts" }

  function add_senders(lines, judged)
    local rows = { COLUMNS }
    local senders = presumed_senders(judged)
    for index = 1, math.min(#senders, MOST_LISTED) do
      rows[#rows + 1] = cells_of(senders[index])
    end
    if #senders > 0 then
      lines[#lines + 1] = ""
      lines[#lines + 1] = "Who sent them (times in UTC)"
      add_rows(lines, rows)
    end
    if #senders > MOST_LISTED then
      lines[#lines + 1] = string.format("  ... and %d more", #senders - MOST_LISTED)
    end
  end
end

local judged_packets, resets_among
do
  -- Summary: all judged packets in a few tables ----------------------------------------------------------------

  -- Every judged packet in the order of the capture, with the values that the tables below count and show.
  function judged_packets()
    local judged = {}
    for frame in pairs(resets) do
      local reset = reset_of(frame)
      local o = observe(reset)
      local judgement = judge(o)
      local src, sport, dst, dport = ends_of(reset.key)
      judged[#judged + 1] = {
        frame = frame,
        kind = "rst",
        verdict = judgement.verdict,
        suspicion = judgement.suspicion,
        time_us = reset.time_us,
        src = address_text(src),
        sport = sport,
        dst = address_text(dst),
        dport = dport,
        flow = string.format("%s:%d > %s:%d", address_text(src), sport, address_text(dst), dport),
        where = sent_from(o.distance, o.baseline_distance),
        distance = o.distance,
        measured = judgement.measured,
        end_reason = o.end_reason,
        origin = judgement.origin,
        device = judgement.device,
      }
    end
    for frame, context in pairs(errors) do
      local o = observe_error(context)
      local entry = judge_icmp(o)
      judged[#judged + 1] = {
        frame = frame,
        kind = "icmp",
        verdict = entry.verdict,
        suspicion = entry.suspicion,
        src = address_text(context.src),
        flow = string.format("%s > %s, %s", address_text(context.src), address_text(context.dst), o.icmp_name),
        where = sent_from(o.distance, o.hop_baseline and distance(o.hop_baseline)),
        device = entry.device or "",
      }
    end
    table.sort(judged, function(one, other)
      return one.frame < other.frame
    end)
    return judged
  end

  function resets_among(judged)
    local list = {}
    for _, one in ipairs(judged) do
      if one.kind == "rst" then
        list[#list + 1] = one
      end
    end
    return list
  end

  -- The ICMP errors by who rejected, the most frequent first.
  local function add_rejectors(lines, judged)
    local names, verdicts = {}, {}
    for _, one in ipairs(judged) do
      if one.kind == "icmp" then
        names[#names + 1] = one.src
        verdicts[one.src] = verdicts[one.src] or {}
        verdicts[one.src][one.verdict] = (verdicts[one.src][one.verdict] or 0) + 1
      end
    end
    local list = frequencies(names)
    if #list > 0 then
      lines[#lines + 1] = ""
      lines[#lines + 1] = "ICMP errors: who rejected"
    end
    for index = 1, math.min(#list, MOST_LISTED) do
      lines[#lines + 1] = string.format("  %s: %s", list[index].value, verdict_counts(verdicts[list[index].value]))
    end
    if #list > MOST_LISTED then
      lines[#lines + 1] = string.format("  ... and %d more", #list - MOST_LISTED)
    end
  end

  local function add_suspects(lines, judged)
    local suspects = {}
    for _, one in ipairs(judged) do
      if ACCUSED[one.verdict] then
        suspects[#suspects + 1] = one
      end
    end
    table.sort(suspects, function(one, other)
      return one.suspicion > other.suspicion or (one.suspicion == other.suspicion and one.frame < other.frame)
    end)
    if #suspects > 0 then
      lines[#lines + 1] = ""
      lines[#lines + 1] = "Not sent by the host that they name, the most suspicious first"
    end
    for index = 1, math.min(#suspects, MOST_LISTED) do
      local one = suspects[index]
      local words = string.format("%s (%d %%), %s; %s", one.verdict, one.suspicion, one.flow, one.where)
      lines[#lines + 1] = string.format("  frame %d: %s", one.frame, words)
    end
    if #suspects > MOST_LISTED then
      lines[#lines + 1] = string.format("  ... and %d more", #suspects - MOST_LISTED)
    end
    return suspects
  end

  local function frames_filter(list)
    local numbers = {}
    for index = 1, math.min(#list, MOST_LISTED) do
      numbers[index] = string.format("%d", list[index].frame)
    end
    return #numbers > 0 and "frame.number in {" .. table.concat(numbers, ", ") .. "}"
  end

  -- The summary as text, and a filter for the most suspicious packets.
  function summary()
    local judged = judged_packets()
    local verdicts, kinds = {}, { rst = 0, icmp = 0 }
    for _, one in ipairs(judged) do
      kinds[one.kind] = kinds[one.kind] + 1
      verdicts[one.verdict] = (verdicts[one.verdict] or 0) + 1
    end
    local lines = { string.format("RST origin: %d TCP resets and %d ICMP errors", kinds.rst, kinds.icmp) }
    for _, verdict in ipairs(VERDICTS) do
      if verdicts[verdict] then
        lines[#lines + 1] = string.format("%7d  %s", verdicts[verdict], verdict)
      end
    end
    add_senders(lines, resets_among(judged))
    add_rejectors(lines, judged)
    local suspects = add_suspects(lines, judged)
    return table.concat(lines, "\n") .. "\n", frames_filter(suspects)
  end
end

do
  -- Tools > RST origin > Explain selected flow ------------------------------------------------------------------

  -- Explains the resets in the flow of the selected packet, oldest first. Returns the text and a filter for the flow;
  -- nil if no such packet is selected.
  function explain_flow()
    local side = selected.key and side_of(selected.key, selected.frame)
    if not (side and side.flow.last_reset) then
      return nil
    end
    local stories, frame = {}, side.flow.last_reset
    while frame do
      local reset = reset_of(frame)
      local o = observe(reset)
      table.insert(stories, 1, story_of(frame, o, judge(o), baseline_frame(reset)))
      frame = reset.previous_reset
    end
    return table.concat(stories, "\n\n") .. "\n", flow_filter(side.flow.key)
  end

  -- The frames of all resets of the presumed sender of one; of hosts and unknown senders, those in the same name.
  local function frames_of_sender(frame)
    for _, sender in ipairs(resets_by_sender(resets_among(judged_packets()))) do
      local names = {}
      for _, reset in ipairs(sender.resets) do
        local name = sender.in_own_name and reset.src or ""
        names[name] = names[name] or {}
        table.insert(names[name], reset.frame)
        if reset.frame == frame then
          names.wanted = names[name]
        end
      end
      if names.wanted then
        return names.wanted
      end
    end
  end

  -- What the menus need of the selected reset; nil if another packet is selected.
  function selected_reset()
    local frame = selected.frame
    local reset = resets[frame or -1] and reset_of(frame)
    if not reset then
      return nil
    end
    local o = observe(reset)
    local baseline = baseline_frame(reset)
    return {
      frame = frame,
      baseline = baseline,
      words = story_of(frame, o, judge(o), baseline) .. "\n",
      flow = flow_filter(reset.key),
      of_sender = function()
        return frames_of_sender(frame)
      end,
    }
  end
end
