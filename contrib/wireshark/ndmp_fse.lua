-- SPDX-License-Identifier: Apache-2.0
--
-- Wireshark dissector for NDMP extension messages: the file service extension (docs/fse.md) and TEST_ECHO.
--
--     tshark -X lua_script:ndmp_fse.lua -r capture.pcap
--
-- It takes over the NDMP ports (preference "ndmp_fse.ports"), puts records together by their record marks, gives core
-- messages to Wireshark's own "ndmp" dissector one at a time, and decodes the others into fields "ndmp_fse.*".
-- That also helps plain NDMP: the built-in dissector gives up on a whole segment that starts with a message it does
-- not know, and on every port but 10000.

local PORT = 10000 -- the only port that the built-in dissector believes in
local HEADER = 24
local MAX_RECORD = 0x1000000 -- bytes; what claims to be longer is taken for something other than NDMP
local MAX_ELEMENTS = 65536
local LAST_FRAGMENT = 0x80000000
-- Limits of the built-in dissector, outside which it shows nothing at all.
local BUILTIN = { code = 0xA09, error = 0x17, oldest = 0x12CEEC50, newest = 0x70DC1ED0 }

local fse = Proto("ndmp_fse", "NDMP extension message")
local tcp_ports = DissectorTable.get("tcp.port")
local builtin = tcp_ports:get_dissector(PORT) -- it has no name to look it up by
-- Joining fragments is done here; the built-in dissector's own way shows nothing to a Lua caller.
set_preference("ndmp.defragment", false)

local ERRORS = {
    [0] = "NO_ERR", "NOT_SUPPORTED", "DEVICE_BUSY", "DEVICE_OPENED", "NOT_AUTHORIZED", "PERMISSION", "DEV_NOT_OPEN",
    "IO", "TIMEOUT", "ILLEGAL_ARGS", "NO_TAPE_LOADED", "WRITE_PROTECT", "EOF", "EOM", "FILE_NOT_FOUND", "BAD_FILE",
    "NO_DEVICE", "NO_BUS", "XDR_DECODE", "ILLEGAL_STATE", "UNDEFINED", "XDR_ENCODE", "NO_MEM", "CONNECT",
    "SEQUENCE_NUM", "READ_IN_PROGRESS", "PRECONDITION", "CLASS_NOT_SUPPORTED", "VERSION_NOT_SUPPORTED",
    "EXT_DUPL_CLASSES", "EXT_DANDN_ILLEGAL",
    [0x7FE00001] = "FSE_IMAGE_EXISTS", [0x7FE00002] = "FSE_NO_SPACE", [0x7FE00003] = "FSE_ALGORITHM",
}
local TYPES = { [0] = "Request", "Reply" }
local ALGORITHMS = { [0] = "none", "SHA-256", "XXH3-128", "BLAKE3" }
local DISPOSITIONS = { [0] = "KEEP", "DISCARD" }
local DIGEST_STATES = { [0] = "IDLE", "ACTIVE", "DONE" }

-- Fields ---------------------------------------------------------------------------------------------------------

local fields = {}
local function declare(make, name, label, ...)
    fields[name] = make("ndmp_fse." .. name, label, ...)
end
local function number(name, label, names)
    declare(ProtoField.uint32, name, label, base.DEC, names)
end

declare(ProtoField.uint32, "record_mark", "Record mark", base.HEX)
number("sequence", "Sequence")
declare(ProtoField.absolute_time, "timestamp", "Time")
number("type", "Type", TYPES)
declare(ProtoField.uint32, "code", "Message", base.HEX)
number("reply_sequence", "Reply sequence")
declare(ProtoField.uint32, "error", "Header error", base.HEX, ERRORS)
declare(ProtoField.uint32, "body_error", "Error", base.HEX, ERRORS)
declare(ProtoField.bytes, "undecoded", "Undecoded bytes")
declare(ProtoField.uint32, "features", "Features", base.HEX)
declare(ProtoField.bool, "features.read", "Images can be read", 32, nil, 1)
declare(ProtoField.bool, "features.write", "Images can be written", 32, nil, 2)
declare(ProtoField.bool, "features.digest", "Tapes can be digested", 32, nil, 4)
declare(ProtoField.bool, "features.remove", "Images can be removed", 32, nil, 8)
declare(ProtoField.bool, "features.unsized", "Fragments can be written without their size", 32, nil, 16)
number("algorithms", "Algorithms")
number("algorithm", "Algorithm", ALGORITHMS)
number("units", "Storage units")
number("images", "Images")
number("fragments", "Fragments")
declare(ProtoField.string, "unit", "Storage unit")
declare(ProtoField.string, "image", "Image")
declare(ProtoField.string, "name", "Name")
declare(ProtoField.string, "after", "After")
declare(ProtoField.uint64, "total", "Total bytes")
declare(ProtoField.uint64, "free", "Free bytes")
number("writable", "Writable")
number("limit", "Limit")
number("more", "More")
declare(ProtoField.uint64, "modified", "Modified")
declare(ProtoField.uint64, "size", "Size in bytes")
number("fragment", "Fragment")
number("disposition", "Disposition", DISPOSITIONS)
declare(ProtoField.uint64, "bytes_moved", "Bytes moved")
number("changed", "Changed")
declare(ProtoField.bytes, "digest", "Digest")
number("record_size", "Record size in bytes")
number("state", "State", DIGEST_STATES)
declare(ProtoField.uint64, "bytes_done", "Bytes done")
declare(ProtoField.uint64, "records", "Records")
number("padding_clean", "Padding clean")
declare(ProtoField.string, "text", "Text")
number("number", "Number")
number("length", "Length in bytes")
declare(ProtoField.bytes, "padding", "Padding")
fse.fields = fields

local function fault(name, label)
    return ProtoExpert.new("ndmp_fse." .. name, label, expert.group.MALFORMED, expert.severity.ERROR)
end
local malformed = fault("malformed", "Malformed message")
local trailing = fault("trailing", "Bytes after the message")
local dirty = fault("dirty_padding", "Padding is not zero")
local stranger =
    ProtoExpert.new("ndmp_fse.unknown", "Unknown message", expert.group.UNDECODED, expert.severity.NOTE)
fse.experts = { malformed, trailing, dirty, stranger }

fse.prefs.ports = Pref.range("TCP ports", tostring(PORT), "Ports of NDMP control connections", 65535)

-- A cursor: readers return false at the first field that does not fit, having marked it as malformed -------------

local function fits(cursor, length, tree, what)
    if cursor.at + length <= cursor.buffer:len() then
        return true
    end
    tree:add_proto_expert_info(malformed, what .. ": the message ends inside it")
    return false
end

local function take(cursor, length)
    local range = cursor.buffer(cursor.at, length)
    cursor.at = cursor.at + length
    return range
end

local function fixed(name, length)
    return function(cursor, tree)
        if not fits(cursor, length, tree, name) then
            return false
        end
        tree:add(fields[name], take(cursor, length))
        return true
    end
end
local function u32(name) return fixed(name, 4) end
local function u64(name) return fixed(name, 8) end

local function flags(name, ...)
    local bits = { ... }
    return function(cursor, tree)
        if not fits(cursor, 4, tree, name) then
            return false
        end
        local range = take(cursor, 4)
        local branch = tree:add(fields[name], range)
        for _, bit in ipairs(bits) do
            branch:add(fields[name .. "." .. bit], range)
        end
        return true
    end
end

-- string or opaque<>: a length, the bytes, zeros up to a multiple of 4
local function counted(name, label, empty)
    return function(cursor, tree)
        if not fits(cursor, 4, tree, name) then
            return false
        end
        local length = cursor.buffer(cursor.at, 4):uint()
        local padding = (4 - length % 4) % 4
        if not fits(cursor, 4 + length + padding, tree, name) then
            return false
        end
        local branch = tree:add(cursor.buffer(cursor.at, 4 + length + padding), label)
        local word = take(cursor, 4)
        branch:add(fields.length, word)
        if length > 0 then
            local content = take(cursor, length)
            branch:add(fields[name], content)
            branch:append_text(empty and (": " .. content:string()) or (": " .. content:bytes():tohex(true)))
        elseif empty then
            branch:add(fields[name], word, empty)
        end
        if padding > 0 then
            local range = take(cursor, padding)
            local zeros = branch:add(fields.padding, range)
            if range:bytes():tohex():find("[^0]") then
                zeros:add_proto_expert_info(dirty)
            end
        end
        return true
    end
end
local function str(name, label) return counted(name, label, "") end

local function all(readers, cursor, tree)
    for _, read in ipairs(readers) do
        if not read(cursor, tree) then
            return false
        end
    end
    return true
end

-- T<>: a count, then that many elements
local function array(name, ...)
    local readers = { ... }
    return function(cursor, tree)
        if not fits(cursor, 4, tree, name) then
            return false
        end
        local word = take(cursor, 4)
        local branch = tree:add(fields[name], word)
        if word:uint() > MAX_ELEMENTS then
            branch:add_proto_expert_info(malformed, name .. ": an implausible count")
            return false
        end
        for _ = 1, word:uint() do
            if not all(readers, cursor, branch) then
                return false
            end
        end
        return true
    end
end

-- A field that only a later version has
local function optional(read)
    return function(cursor, tree)
        return cursor.at == cursor.buffer:len() or read(cursor, tree)
    end
end

-- Messages -------------------------------------------------------------------------------------------------------

local failure = u32("body_error")
local unit, image = str("unit", "Storage unit"), str("image", "Image")
local algorithm, digest = u32("algorithm"), counted("digest", "Digest")

local MESSAGES = {
    [0x7FE00001] = {
        name = "FSE_GET_INFO", request = {},
        reply = { failure, flags("features", "read", "write", "digest", "remove", "unsized"), array("algorithms", algorithm) },
    },
    [0x7FE00002] = {
        name = "FSE_LIST_UNITS", request = {},
        reply = { failure, array("units", str("name", "Name"), u64("total"), u64("free"), u32("writable")) },
    },
    [0x7FE00003] = {
        name = "FSE_LIST_IMAGES", request = { unit, str("after", "After"), u32("limit") },
        reply = {
            failure, array("images", str("name", "Name"), u64("modified"), u64("size"), u32("fragments")), u32("more"),
        },
    },
    [0x7FE00004] = {
        name = "FSE_GET_IMAGE", request = { unit, image },
        reply = { failure, u64("modified"), array("fragments", str("name", "Name"), u64("size")) },
    },
    [0x7FE00005] = {
        name = "FSE_OPEN_READ", request = { unit, image, u32("fragment"), algorithm },
        reply = { failure, u64("size") },
    },
    [0x7FE00006] = {
        name = "FSE_OPEN_WRITE",
        request = { unit, image, u32("fragment"), str("name", "Name"), u64("size"), algorithm },
        reply = { failure },
    },
    [0x7FE00007] = { name = "FSE_CLOSE", request = { u32("disposition") }, reply = { failure } },
    [0x7FE00008] = {
        name = "FSE_GET_STATE", request = {},
        reply = { failure, u64("size"), u64("bytes_moved"), u32("changed"), algorithm, digest },
    },
    [0x7FE00009] = { name = "FSE_COMMIT_IMAGE", request = { unit, image, u32("fragments") }, reply = { failure } },
    [0x7FE0000A] = { name = "FSE_DISCARD_IMAGE", request = { unit, image }, reply = { failure } },
    [0x7FE0000B] = { name = "FSE_REMOVE_IMAGE", request = { unit, image }, reply = { failure } },
    [0x7FE00010] = {
        name = "FSE_TAPE_DIGEST_START", request = { algorithm, u64("size"), u32("record_size") }, reply = { failure },
    },
    [0x7FE00011] = {
        name = "FSE_TAPE_DIGEST_GET_STATE", request = {}, reply = { failure, u32("state"), u64("bytes_done") },
    },
    [0x7FE00012] = { name = "FSE_TAPE_DIGEST_ABORT", request = {}, reply = { failure } },
    [0x7FE00013] = {
        name = "FSE_TAPE_DIGEST_CONTINUE", request = { u64("size"), u32("record_size") }, reply = { failure },
    },
    [0x7FE00080] = {
        name = "FSE_NOTIFY_TAPE_DIGEST",
        request = { failure, u64("size"), u64("records"), u32("padding_clean"), algorithm, digest },
    },
    [0x7FF00000] = {
        name = "TEST_ECHO", request = { str("text", "Text"), optional(u32("number")) },
        reply = { failure, str("text", "Text"), optional(u32("number")) },
    },
}

-- Dissection -----------------------------------------------------------------------------------------------------

local function builtin_understands(message)
    local time, error = message(4, 4):uint(), message(20, 4):uint()
    local code = message(12, 4):uint()
    return message(8, 4):uint() <= 1 and code > 0 and code <= BUILTIN.code and error <= BUILTIN.error
        and time >= BUILTIN.oldest and time <= BUILTIN.newest
end

-- One whole record, record mark included, as the built-in dissector wants it
local function dissect_core(record, pinfo, tree)
    local source, destination = pinfo.src_port, pinfo.dst_port
    if source ~= PORT and destination ~= PORT then
        pinfo.dst_port = PORT
    end
    builtin:call(record, pinfo, tree)
    pinfo.src_port, pinfo.dst_port = source, destination
    pinfo.conversation = fse -- the built-in dissector has just claimed the rest of the connection
end

local function dissect_body(message, known, tree)
    local readers = known and (message(8, 4):uint() == 0 and known.request or known.reply)
    local cursor = { buffer = message, at = HEADER }
    local refused = message(20, 4):uint() ~= 0
    if readers and not refused and not all(readers, cursor, tree) then
        cursor.broken = true
    end
    if cursor.at < message:len() then
        local rest = tree:add(fields.undecoded, message(cursor.at))
        if not readers then
            rest:add_proto_expert_info(stranger)
        elseif not cursor.broken then
            rest:add_proto_expert_info(trailing)
        end
    end
end

local function dissect_extension(record, message, pinfo, tree)
    local branch = tree:add(fse, record())
    branch:add(fields.record_mark, record(0, 4))
    if message:len() < HEADER then
        branch:add(fields.undecoded, message())
        branch:add_proto_expert_info(malformed, "shorter than a header")
        return
    end
    local code = message(12, 4):uint()
    local known = MESSAGES[code]
    local name = known and known.name or string.format("message 0x%08X", code)
    local kind = TYPES[message(8, 4):uint()] or "?"
    branch:append_text(": " .. name .. " " .. kind)
    pinfo.cols.info:append(name .. " " .. kind .. " ")
    branch:add(fields.sequence, message(0, 4))
    branch:add(fields.timestamp, message(4, 4))
    branch:add(fields.type, message(8, 4))
    branch:add(fields.code, message(12, 4)):append_text(" (" .. name .. ")")
    branch:add(fields.reply_sequence, message(16, 4))
    branch:add(fields.error, message(20, 4))
    if message(8, 4):uint() > 1 then
        branch:add_proto_expert_info(malformed, "neither request nor reply")
    end
    dissect_body(message, known, branch)
end

local function dissect_record(record, pinfo, tree)
    local message = record(4):tvb()
    if message:len() >= HEADER and builtin_understands(message) then
        dissect_core(record, pinfo, tree)
    else
        dissect_extension(record, message, pinfo, tree)
    end
    pinfo.cols.info:fence() -- what follows in this segment adds to the line
end

-- The end of the record that starts at `start`, and the ranges of its fragments; or nil and how many bytes more are
-- needed to know; or nil and nothing when it cannot be a record.
local function find_record(buffer, start)
    local at, total, fragments = start, 0, {}
    repeat
        if buffer:len() - at < 4 then
            return nil, DESEGMENT_ONE_MORE_SEGMENT
        end
        local mark = buffer(at, 4):uint()
        local length = mark % LAST_FRAGMENT
        total = total + length
        if length == 0 or total > MAX_RECORD then
            return nil, nil
        end
        if buffer:len() - at - 4 < length then
            return nil, mark >= LAST_FRAGMENT and at + 4 + length - buffer:len() or DESEGMENT_ONE_MORE_SEGMENT
        end
        fragments[#fragments + 1] = buffer(at + 4, length)
        at = at + 4 + length
    until mark >= LAST_FRAGMENT
    return at, fragments
end

-- The record as one fragment, whatever came on the wire
local function join(buffer, start, stop, fragments)
    if #fragments == 1 then
        return buffer(start, stop - start):tvb()
    end
    local joined, length = ByteArray.new(), 0
    for _, fragment in ipairs(fragments) do
        joined:append(fragment:bytes())
        length = length + fragment:len()
    end
    joined:prepend(ByteArray.new(string.format("%08x", LAST_FRAGMENT + length)))
    return joined:tvb("Joined fragments")
end

function fse.dissector(buffer, pinfo, tree)
    pinfo.cols.protocol = "NDMP"
    pinfo.cols.info:clear()
    local at = 0
    while at < buffer:len() do
        local stop, found = find_record(buffer, at)
        if stop then
            dissect_record(join(buffer, at, stop, found), pinfo, tree)
            at = stop
        elseif found then
            pinfo.desegment_offset = at
            pinfo.desegment_len = found
            return buffer:len()
        else
            local branch = tree:add(fse, buffer(at))
            branch:add(fields.undecoded, buffer(at))
            branch:add_proto_expert_info(malformed, "not a record mark")
            return buffer:len()
        end
    end
    return buffer:len()
end

local listening

function fse.prefs_changed()
    if listening then
        tcp_ports:remove(listening, fse)
    end
    listening = fse.prefs.ports
    tcp_ports:add(listening, fse)
end

tcp_ports:add(PORT, fse)
listening = tostring(PORT)
