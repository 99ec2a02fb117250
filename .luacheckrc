-- Lua that runs on 5.2 (Wireshark 4.0) and on 5.4 (4.4 and newer): what both have, and what Wireshark adds.
std = "min"
max_line_length = 120

-- The parameters that Wireshark passes to every dissector, wanted or not.
ignore = { "212/tvb", "212/pinfo", "212/tree" }

-- In "min", or in Lua 5.2, but not in 5.4.
not_globals = {
    "bit32", "loadstring", "math.cosh", "math.frexp", "math.ldexp", "math.log10", "math.pow", "math.sinh", "math.tanh",
    "module", "table.maxn", "unpack",
}

read_globals = {
  "register_packet_menu", -- from Wireshark 4.2 on
    -- in Lua 5.2 and 5.4, though not in 5.1 and so not in "min"
    "rawlen", table = { fields = { pack = {}, unpack = {} } },
    -- protocols and their fields
    "Proto", "ProtoField", "ProtoExpert", "Field", "base", "ftypes", "frametype", "expert",
    "register_postdissector", "Dissector", "DissectorTable", "dissect_tcp_pdus",
    "Pref", "Prefs", "set_preference", "get_preference", "reset_preference",
    -- what a dissector is given and makes
    "Tvb", "TvbRange", "ByteArray", "TreeItem", "Pinfo", "Column", "Columns", "PrivateTable",
    "Address", "NSTime", "Int64", "UInt64", "Struct", "FieldInfo", "Conversation",
    -- taps, files and tools
    "Listener", "Dumper", "PseudoHeader", "CaptureInfo", "File", "FileHandler", "FrameInfo", "Dir",
    "GRegex", "rex_pcre2", "bit", "wtap_filetypes", "register_stat_cmd_arg",
    -- what asks for a GUI: absent, or without effect, in tshark
    "gui_enabled", "register_menu", "TextWindow", "ProgDlg", "new_dialog", "retap_packets", "copy_to_clipboard",
    "set_filter", "apply_filter", "get_filter", "set_color_filter_slot", "reload", "reload_packets",
    "reload_lua_plugins", "browser_open_url",
    -- versions, messages, and constants
    "get_version", "set_plugin_info", "running_superuser", "report_failure",
    "critical", "warn", "message", "info", "debug",
    "DESEGMENT_ONE_MORE_SEGMENT", "DESEGMENT_UNTIL_FIN", "ENC_BIG_ENDIAN", "ENC_LITTLE_ENDIAN",
    "PI_CHAT", "PI_COMMENT", "PI_NOTE", "PI_WARN", "PI_ERROR", "PI_SEQUENCE", "PI_ASSUMPTION", "PI_SECURITY",
    "MENU_TOOLS_UNSORTED", "PI_PROTOCOL", "PI_GROUP_MASK", "PI_SEVERITY_MASK",
    "USER_DIR", "DATA_DIR",
}
