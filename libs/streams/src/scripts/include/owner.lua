-- Who owns a partition of a group in ordered mode: the fields `owner` and `epoch` of the group's hash `control`.

-- Whether the token, a member and its epoch with a space between them, is that of the present owner.
local function isOwnerBy(control, token)
  local record = redis.call('HMGET', control, 'owner', 'epoch')
  return (record[1] or '') .. ' ' .. (record[2] or '') == token
end
