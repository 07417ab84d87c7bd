// megalodon posts while the leader dies: each status is there once, in order.
//
// Arguments: folder of megalodon, address of the site, a token of ada, and tokens that are not used here.
const assert = require('node:assert/strict')
const [folder, address, token] = process.argv.slice(2)
const { default: generator } = require(folder)

const [before, after] = [5, 10]

async function main() {
  const ada = generator('mastodon', address, token)
  const posted = []
  let left = after
  let killed = false
  process.stdin.once('data', () => (killed = true))
  while (left > 0) {
    const text = `status ${posted.length}`
    posted.push([(await ada.postStatus(text)).data.id, `<p>${text}</p>`])
    if (posted.length === before) console.log('please kill leader')
    if (killed) left -= 1
  }
  const me = (await ada.verifyAccountCredentials()).data.id
  const found = []
  for (;;) {
    const page = (await ada.getAccountStatuses(me, { limit: 40, max_id: found.at(-1)?.[0] })).data
    if (page.length === 0) break
    found.push(...page.map(status => [status.id, status.content]))
  }
  assert.ok(posted.length >= before + after)
  assert.deepEqual(found.reverse(), posted)
}

main().then(
  () => {
    console.log('passed')
    process.exit(0)
  },
  error => {
    console.error(error)
    process.exit(1)
  }
)
