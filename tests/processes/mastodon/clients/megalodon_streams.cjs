// The streams of ribbit's API with megalodon, by three people: each a WebSocket.
//
// Arguments: folder of megalodon, address of the site, then a token of dora, bobby and carla each.
const assert = require('node:assert/strict')
const [folder, address, ...tokens] = process.argv.slice(2)
const { default: generator } = require(folder)

const streams = []

// Opens a stream, and returns a function that waits for its next event, which has to be of this kind.
async function opened(opening) {
  const stream = await opening
  streams.push(stream)
  const [events, waiting] = [[], []]
  const arrived = event => (waiting.length > 0 ? waiting.shift()(event) : events.push(event))
  for (const kind of ['update', 'delete', 'notification', 'conversation', 'error', 'parser-error']) {
    stream.on(kind, what => arrived({ kind, what }))
  }
  await new Promise(resolve => stream.on('connect', resolve))
  return async kind => {
    const event = events.length > 0 ? events.shift() : await new Promise(resolve => waiting.push(resolve))
    assert.equal(event.kind, kind, JSON.stringify(event.what))
    return event.what
  }
}

async function main() {
  const [dora, bobby, carla] = tokens.map(token => generator('mastodon', address, token))
  const me = (await dora.verifyAccountCredentials()).data.id
  await bobby.followAccount(me)
  const [ofBobby, ofDora] = [await opened(bobby.userStreaming()), await opened(dora.userStreaming())]
  const [ofAll, ofTag] = [await opened(carla.publicStreaming()), await opened(carla.tagStreaming('pond'))]
  const [ofSite, letters] = [await opened(carla.localStreaming()), await opened(bobby.directStreaming())]

  const status = (await dora.postStatus('rain at the #Pond, @bobby', { visibility: 'public' })).data
  for (const next of [ofBobby, ofDora, ofAll, ofTag, ofSite]) {
    assert.equal((await next('update')).id, status.id)
  }
  const told = await ofBobby('notification')
  assert.deepEqual([told.type, told.account.id, told.status.id], ['mention', me, status.id])

  await dora.postStatus('for followers', { visibility: 'private' })
  assert.equal((await ofBobby('update')).plain_content ?? 'for followers', 'for followers')
  await ofDora('update')

  await carla.favouriteStatus(status.id)
  assert.equal((await ofDora('notification')).type, 'favourite')

  await dora.postStatus('@bobby meet me', { visibility: 'direct' })
  assert.match((await letters('conversation')).last_status.content, /meet me/)

  await dora.deleteStatus(status.id)
  for (const next of [ofBobby, ofAll, ofTag, ofSite]) {
    assert.equal(String(await next('delete')), status.id)
  }
  streams.forEach(stream => stream.stop())
}

const late = setTimeout(() => {
  console.error('an event is missing')
  process.exit(1)
}, 60_000)
main().then(
  () => {
    clearTimeout(late)
    console.log('passed')
    process.exit(0)
  },
  error => {
    console.error(error)
    process.exit(1)
  }
)
