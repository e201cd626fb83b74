"""What the bus does inside the server, each in one step that nothing can come between.

An entry of a stream has one field, ``data`` (EXP-10). A *reader* is a consumer of its group under a name of its own
(EXP-11). The consumer `RETURNED` holds what readers have given back, or left behind when they died: `TAKE` hands that
out before anything new, so that the oldest always goes first. A key beside the stream counts the bytes that it holds.

Invariants: an entry that a group has not acknowledged is in the stream; one that was handed out is with exactly one
consumer; a consumer is removed only in the step that has moved away all it held.
"""

from typing import Final

RETURNED: Final = "returned"
"""The consumer that holds what nobody holds."""
NO_ENTRY: Final = "0-0"
"""Comes before every entry."""
AFTER_ALL: Final = "18446744073709551615-18446744073709551614"
"""Comes after every entry. Not the greatest id of all: to the server that one means "what is new"."""

_SHARED: Final = """
local function named(flat)
    local found = {}
    for at = 1, #flat, 2 do found[flat[at]] = flat[at + 1] end
    return found
end
-- What a stranger wrote without that field is handed on too: whoever reads it refuses it by name.
local function body_of(entry)
    return named(entry[2])['data'] or table.concat(entry[2], ' ')
end
local function parts(id)
    local ms, number = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(number)
end
local function is_before(one, other)
    local ms, number = parts(one)
    local other_ms, other_number = parts(other)
    return ms < other_ms or (ms == other_ms and number < other_number)
end
local function after(id)
    local ms, number = parts(id)
    return string.format('%.0f-%.0f', ms, number + 1)
end
-- Every group of the stream by name; none when there is no such stream.
local function groups_of(stream)
    local groups = {}
    if redis.call('EXISTS', stream) == 1 then
        for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
            local group = named(each)
            groups[group['name']] = group
        end
    end
    return groups
end
-- Everything that a consumer holds becomes another's.
local function move_all(stream, group, from, to)
    local moved = 0
    while true do
        local held = redis.call('XPENDING', stream, group, '-', '+', 100, from)
        if #held == 0 then return moved end
        local claim = {'XCLAIM', stream, group, to, 0}
        for _, each in ipairs(held) do claim[#claim + 1] = each[1] end
        claim[#claim + 1] = 'JUSTID'
        redis.call(unpack(claim))
        moved = moved + #held
    end
end
"""

_ADDS: Final = f"#!lua{_SHARED}"
"""Refused as a whole by a server whose memory is full."""
_FREES: Final = f"#!lua flags=allow-oom{_SHARED}"
"""Done all the same: it is how memory becomes free."""
_READS: Final = f"#!lua flags=no-writes{_SHARED}"

APPEND: Final = (
    _ADDS
    + """
-- KEYS: stream, its byte count. ARGV: most bytes, overhead, news channel, bell, body...
-- Adds bodies for as long as the stream is not full; returns the ids of those that it added.
local bytes = tonumber(redis.call('GET', KEYS[2]) or '0')
local added, ids = 0, {}
for at = 5, #ARGV do
    if bytes + added > tonumber(ARGV[1]) then break end
    local id = redis.call('XADD', KEYS[1], '*', 'data', ARGV[at])
    ids[#ids + 1] = id
    added = added + #ARGV[at] + tonumber(ARGV[2])
    redis.call('PUBLISH', ARGV[3], id .. ' ' .. ARGV[at])
end
if #ids > 0 then
    redis.call('INCRBY', KEYS[2], string.format('%.0f', added))
    redis.call('PUBLISH', ARGV[4], '')
end
return ids
"""
)

TAKE: Final = (
    _FREES
    + """
-- KEYS: stream. ARGV: group, reader, the one that holds what was returned, most entries, most bytes.
-- Hands out what nobody holds, the oldest first; makes the group at first use, with all that the stream still has.
local stream, group, reader, returned = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local most, room = tonumber(ARGV[4]), tonumber(ARGV[5])
if not groups_of(stream)[group] then
    redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
end
local taken = {}
local function take(entries)
    for _, entry in ipairs(entries) do
        local body = body_of(entry)
        taken[#taken + 1] = {entry[1], body}
        room = room - #body
    end
end
local given_back = redis.call('XPENDING', stream, group, '-', '+', most, returned)
for _, each in ipairs(given_back) do
    if room <= 0 then return taken end
    take(redis.call('XCLAIM', stream, group, reader, 0, each[1]))
end
while #taken < most and room > 0 do
    local found = redis.call('XREADGROUP', 'GROUP', group, reader, 'COUNT', 1, 'STREAMS', stream, '>')
    if not found then break end
    take(found[1][2])
end
return taken
"""
)

GIVE_BACK: Final = (
    _FREES
    + """
-- KEYS: stream. ARGV: group, reader, the one that holds what was returned, bell, id...
-- Lets others have what the reader still holds of these.
if not groups_of(KEYS[1])[ARGV[1]] then return 0 end
local back = 0
for at = 5, #ARGV do
    if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1, ARGV[2]) == 1 then
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[at], 'JUSTID')
        back = back + 1
    end
end
if back > 0 then redis.call('PUBLISH', ARGV[4], '') end
return back
"""
)

LEAVE: Final = (
    _FREES
    + """
-- KEYS: stream. ARGV: group, reader, the one that holds what was returned, bell.
-- The reader is no more; what it held is others'.
if not groups_of(KEYS[1])[ARGV[1]] then return 0 end
local moved = move_all(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
if moved > 0 then redis.call('PUBLISH', ARGV[4], '') end
return moved
"""
)

BEAT: Final = (
    _FREES
    + """
-- KEYS: stream. ARGV: group, reader, the one that holds what was returned, bell, idle ms after which a reader is dead
-- (0: no one is), the id after every other.
-- Says that the reader lives, and takes the dead ones' entries from them; returns how many dead readers there were.
local stream, group, reader, returned = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if not groups_of(stream)[group] then return 0 end
redis.call('XREADGROUP', 'GROUP', group, reader, 'COUNT', 1, 'STREAMS', stream, ARGV[6])  -- its own past: nothing
local longest, dead = tonumber(ARGV[5]), 0
if longest == 0 then return 0 end
for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local other = named(each)
    if other['name'] ~= reader and other['name'] ~= returned and other['idle'] >= longest then
        move_all(stream, group, other['name'], returned)
        redis.call('XGROUP', 'DELCONSUMER', stream, group, other['name'])
        dead = dead + 1
    end
end
if dead > 0 then redis.call('PUBLISH', ARGV[4], '') end
return dead
"""
)

ACK: Final = (
    _FREES
    + """
-- KEYS: stream, its byte count. ARGV: group, the one that holds what was returned, overhead, bell of the writers, id...
-- Strikes entries off for the group, then forgets all that every group has done with: what is older than the oldest
-- entry that some group has not acknowledged. What was never handed out can only be struck off once it counts as
-- returned, with all before it.
local stream = KEYS[1]
local group = groups_of(stream)[ARGV[1]]
if not group then return 0 end
for at = 5, #ARGV do
    while is_before(group['last-delivered-id'], ARGV[at]) do
        local next = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', stream, '>')
        if not next then break end
        group['last-delivered-id'] = next[1][2][1][1]
    end
end
redis.call('XACK', stream, ARGV[1], unpack(ARGV, 5))
local oldest
for name, group in pairs(groups_of(stream)) do
    local own = after(group['last-delivered-id'])
    if group['pending'] > 0 then own = redis.call('XPENDING', stream, name)[2] end
    if not oldest or is_before(own, oldest) then oldest = own end
end
if not oldest then return 0 end
local bytes, count = 0, 0
while true do
    local done = redis.call('XRANGE', stream, '-', '(' .. oldest, 'COUNT', 8)
    if #done == 0 then break end
    for _, entry in ipairs(done) do bytes = bytes + #body_of(entry) + tonumber(ARGV[3]) end
    redis.call('XTRIM', stream, 'MINID', '=', after(done[#done][1]))
    count = count + #done
end
if count == 0 then return 0 end
if redis.call('XLEN', stream) == 0 then
    redis.call('DEL', KEYS[2])
else
    redis.call('DECRBY', KEYS[2], string.format('%.0f', bytes))
end
redis.call('PUBLISH', ARGV[4], '')
return count
"""
)

UNACKNOWLEDGED: Final = (
    _READS
    + """
-- KEYS: stream. ARGV: group, the id after which to begin, the last id to look at or '', most entries to look at, most
-- bytes. Returns the last id to look at, the last one looked at or '' at the end, and those entries between that the
-- group has not acknowledged.
local stream, last = KEYS[1], ARGV[3]
if redis.call('EXISTS', stream) == 0 then return {ARGV[2], '', {}} end
if last == '' then last = named(redis.call('XINFO', 'STREAM', stream))['last-generated-id'] end
local group = groups_of(stream)[ARGV[1]]
local function is_acknowledged(id)
    if not group or is_before(group['last-delivered-id'], id) then return false end
    return #redis.call('XPENDING', stream, ARGV[1], id, id, 1) == 0
end
local from, found, room = ARGV[2], {}, tonumber(ARGV[5])
for _ = 1, tonumber(ARGV[4]) do
    local entry = redis.call('XRANGE', stream, '(' .. from, last, 'COUNT', 1)[1]
    if not entry then return {last, '', found} end
    from = entry[1]
    if not is_acknowledged(from) then
        local body = body_of(entry)
        found[#found + 1] = {from, body}
        room = room - #body
    end
    if room <= 0 then break end
end
return {last, from, found}
"""
)
