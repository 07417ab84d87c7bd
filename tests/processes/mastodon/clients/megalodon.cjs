// The calls of ribbit's API with megalodon, by three people.
//
// Arguments: folder of megalodon, address of the site, then a token of ada, bob and carl each.
const assert = require('node:assert/strict')
const [folder, address, ...tokens] = process.argv.slice(2)
const { default: generator } = require(folder)

const ids = items => items.map(item => item.id)

async function refused(status, call, words = '') {
  await assert.rejects(call, error => {
    assert.equal(error.response?.status, status, String(error))
    assert.match(error.response.data.error, new RegExp(words))
    return true
  })
}

async function main() {
  const [ada, bob, carl] = tokens.map(token => generator('mastodon', address, token))
  const [me, other, third] = await Promise.all([ada, bob, carl].map(async one => (await one.verifyAccountCredentials()).data.id))

  const changed = await ada.updateCredentials({ display_name: 'Ada L.', note: 'frogs', source: { privacy: 'public' } })
  assert.equal(changed.data.display_name, 'Ada L.')
  assert.equal((await bob.getAccount(me)).data.display_name, 'Ada L.')
  assert.equal((await bob.lookupAccount('ada')).data.id, me)
  assert.deepEqual(ids((await bob.searchAccount('ad')).data), [me])
  assert.equal((await bob.getPreferences()).data['posting:default:visibility'], 'public')
  assert.equal((await bob.followAccount(me)).data.following, true)
  assert.deepEqual((await ada.getRelationships([other, third])).data.map(one => one.followed_by), [true, false])
  assert.deepEqual(ids((await ada.getAccountFollowers(me)).data), [other])
  assert.deepEqual(ids((await bob.getAccountFollowing(other)).data), [me])

  const status = (await ada.postStatus('rain at the #pond', { visibility: 'public' })).data
  const reply = (await bob.postStatus('I know', { in_reply_to_id: status.id })).data
  assert.equal(reply.in_reply_to_account_id, me)
  const hidden = (await ada.postStatus('for followers', { visibility: 'private' })).data
  await refused(404, () => carl.getStatus(hidden.id), 'no such croak')
  await refused(422, () => ada.postStatus('x'.repeat(101)), '100 characters')
  await refused(422, () => ada.postStatus('which?', { poll: { options: ['a', 'b'], expires_in: 60 } }), 'no polls')
  await refused(422, () => ada.uploadMedia(Buffer.from('GIF89a')), 'no pictures')
  await refused(422, () => ada.editStatus(status.id, { status: 'sun' }), 'cannot be changed')
  assert.deepEqual(ids((await ada.getStatusContext(status.id)).data.descendants), [reply.id])
  assert.equal((await ada.getStatusSource(status.id)).data.text, 'rain at the #pond')

  assert.equal((await bob.favouriteStatus(status.id)).data.favourites_count, 1)
  assert.deepEqual(ids((await ada.getStatusFavouritedBy(status.id)).data), [other])
  assert.deepEqual(ids((await bob.getFavourites()).data), [status.id])
  const share = (await carl.reblogStatus(status.id)).data
  assert.equal(share.reblog.id, status.id)
  assert.deepEqual(ids((await ada.getStatusRebloggedBy(status.id)).data), [third])
  assert.equal((await ada.pinStatus(status.id)).data.pinned, true)
  assert.deepEqual(ids((await bob.getAccountStatuses(me, { pinned: true })).data), [status.id])
  assert.equal((await ada.unpinStatus(status.id)).data.pinned, false)

  assert.deepEqual(ids((await bob.getHomeTimeline({ limit: 2 })).data), [hidden.id, reply.id])
  assert.deepEqual(ids((await bob.getHomeTimeline({ max_id: reply.id })).data), [status.id])
  assert.deepEqual(ids((await bob.getHomeTimeline({ min_id: status.id, limit: 1 })).data), [reply.id])
  assert.deepEqual(ids((await carl.getPublicTimeline()).data), [reply.id, status.id])
  assert.deepEqual(ids((await carl.getLocalTimeline()).data), [reply.id, status.id])
  assert.deepEqual(ids((await carl.getTagTimeline('pond')).data), [status.id])

  const told = (await ada.getNotifications()).data
  assert.deepEqual(told.map(one => one.type), ['reblog', 'favourite', 'mention', 'follow'])
  assert.equal((await ada.getNotification(told[1].id)).data.status.id, status.id)
  await ada.saveMarkers({ home: { last_read_id: status.id }, notifications: { last_read_id: told[0].id } })
  assert.equal((await ada.getMarkers(['home', 'notifications'])).data.notifications.last_read_id, told[0].id)
  await ada.dismissNotification(told[1].id)
  assert.equal((await ada.getNotifications()).data.length, 3)
  await ada.dismissNotifications()
  assert.deepEqual((await ada.getNotifications()).data, [])

  const letter = (await ada.postStatus('@bob meet me', { visibility: 'direct' })).data
  assert.equal(letter.visibility, 'direct')
  const talk = (await bob.getConversationTimeline()).data[0]
  assert.deepEqual([talk.unread, talk.last_status.id], [true, letter.id])
  assert.equal((await bob.readConversation(talk.id)).data.unread, false)
  await refused(404, () => carl.getStatus(letter.id), 'no such croak')

  const found = (await carl.search('rain')).data
  assert.deepEqual([ids(found.statuses), found.hashtags[0].name], [[status.id], 'rain'])
  assert.equal((await carl.muteAccount(me, true)).data.muting, true)
  assert.deepEqual(ids((await carl.getMutes()).data), [me])
  assert.equal((await carl.unmuteAccount(me)).data.muting, false)
  assert.equal((await carl.blockAccount(me)).data.blocking, true)
  assert.deepEqual(ids((await carl.getBlocks()).data), [me])
  assert.equal((await carl.unblockAccount(me)).data.blocking, false)
  assert.equal((await carl.report(me, { status_ids: [status.id], comment: 'wet' })).data.comment, 'wet')

  for (const list of [
    ada.getBookmarks(), ada.getLists(), ada.getInstanceCustomEmojis(), ada.getFilters(), ada.getFollowRequests(),
    ada.getEndorsements(), ada.getFeaturedTags(), ada.getFollowedTags(), ada.getSuggestions(), ada.getScheduledStatuses(),
    ada.getDomainBlocks(), ada.getInstanceAnnouncements(), ada.getListTimeline('1')
  ]) {
    assert.deepEqual((await list).data, [])
  }
  await refused(404, () => ada.getPoll('1'), 'no polls')
  await refused(422, () => ada.bookmarkStatus(status.id), 'no bookmarks')

  assert.equal((await bob.unfavouriteStatus(status.id)).data.favourited, false)
  assert.equal((await carl.unreblogStatus(status.id)).data.reblogged, false)
  assert.equal((await bob.unfollowAccount(me)).data.following, false)
  await ada.deleteStatus(status.id)
  await refused(404, () => ada.getStatus(status.id), 'no such croak')
  console.log('passed')
}

main().catch(error => {
  console.error(error.response ? [error.response.status, error.response.data, error.config?.url] : '', error)
  process.exit(1)
})
