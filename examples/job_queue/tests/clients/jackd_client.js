// jackd drives every command of the protocol: jackd_client.js HOST PORT.
const Jackd = require('jackd')
const host = process.argv[2]
const port = Number(process.argv[3])
let failures = 0

function check(what, passed, seen) {
  console.log(`${passed ? 'PASS' : 'FAIL'}: jackd: ${what}${passed ? '' : ` (${JSON.stringify(seen)})`}`)
  if (!passed) failures += 1
}

const equal = (what, seen, wanted) => check(what, String(seen) === String(wanted), seen)

async function refused(what, word, promise) {
  const seen = await promise.then(answer => answer, error => error.response ?? error.message)
  check(what, String(seen).includes(word), seen)
}

// jackd gives the YAML as text.
const keys = text => new Map(text.split('\n').filter(line => line.includes(': ')).map(line => line.split(': ')))
const list = text => text.split('\n').filter(line => line.startsWith('- ')).map(line => line.slice(2))
const text = job => Buffer.from(job.payload).toString()

// jackd 2.2.2 forgets the line end of this one command.
async function pause(client, tube, delay) {
  const paused = client.pauseTube(tube, { delay })
  await client.write(Buffer.from('\r\n'))
  await paused
}

async function connect() {
  const client = new Jackd()
  await client.connect({ host, port })
  return client
}

async function main() {
  const client = await connect()
  const tube = 'jackd'

  // Tubes.
  equal('use', await client.use(tube), tube)
  equal('list-tube-used', await client.listTubeUsed(), tube)
  equal('watch counts', await client.watch(tube), 2)
  equal('ignore counts', await client.ignore('default'), 1)
  await refused('ignore of the last one is NOT_IGNORED', 'NOT_IGNORED', client.ignore(tube))
  equal('list-tubes-watched', list(await client.listTubesWatched()), [tube])
  check('list-tubes', list(await client.listTubes()).includes(tube))

  // The life of a job.
  const first = await client.put('one', { priority: 10, ttr: 30 })
  const second = await client.put({ two: 2 }, { priority: 5, ttr: 30 })
  check('put gives growing ids', Number(second) > Number(first), [first, second])
  equal('peek-ready', (await client.peekReady()).id, second)
  equal('peek', text(await client.peek(first)), 'one')
  let job = await client.reserve()
  equal('reserve gives the most urgent', job.id, second)
  equal('and its body', text(job), '{"two":2}')
  let stats = keys(await client.statsJob(second))
  equal('stats-job', [stats.get('state'), stats.get('tube'), stats.get('pri')], ['reserved', tube, 5])
  await client.touch(second)
  await client.release(second, { priority: 20, delay: 0 })
  job = await client.reserveWithTimeout(5)
  equal('release with another priority, reserve-with-timeout', job.id, first)
  await client.delete(first)
  await refused('delete of what is gone is NOT_FOUND', 'NOT_FOUND', client.delete(first))
  equal('reserve-job', (await client.reserveJob(second)).id, second)
  await client.bury(second, 7)
  equal('bury, peek-buried', (await client.peekBuried()).id, second)
  equal('kick', await client.kick(10), 1)
  await client.reserve()
  await client.release(second, { priority: 0, delay: 3600 })
  equal('peek-delayed', (await client.peekDelayed()).id, second)
  await client.kickJob(second)
  equal('kick-job', keys(await client.statsJob(second)).get('state'), 'ready')
  await client.delete(second)
  await refused('peek of what is gone is NOT_FOUND', 'NOT_FOUND', client.peek(second))
  await refused('nothing there is TIMED_OUT', 'TIMED_OUT', client.reserveWithTimeout(0))

  // Time.
  const late = await client.put('late', { delay: 1 })
  equal('a delayed job is given when its delay is over', (await client.reserveWithTimeout(5)).id, late)
  await client.delete(late)
  const short = await client.put('short', { ttr: 1 })
  await client.reserve()
  await refused('DEADLINE_SOON in the last second', 'DEADLINE_SOON', client.reserveWithTimeout(5))
  await client.delete(short)
  await pause(client, tube, 3600)
  const paused = await client.put('paused')
  await refused('a paused tube gives nothing', 'TIMED_OUT', client.reserveWithTimeout(0))
  equal('stats-tube tells of the pause', keys(await client.statsTube(tube)).get('pause'), 3600)
  await pause(client, tube, 0)
  equal('and gives when it is over', (await client.reserveWithTimeout(5)).id, paused)
  await client.delete(paused)

  // Somebody waits, and goes.
  const waiting = await connect()
  await waiting.watch(tube)
  const promise = waiting.reserve()
  const handed = await client.put('handed over')
  equal('a job goes to whoever waits', (await promise).id, handed)
  await refused("another's job cannot be deleted", 'NOT_FOUND', client.delete(handed))
  await waiting.quit()
  equal('quit gives the job back', (await client.reserveWithTimeout(5)).id, handed)
  await client.delete(handed)

  // Sent without waiting: answers come in order.
  const ids = await Promise.all(Array.from({ length: 50 }, (_, index) => client.put(`many ${index}`)))
  check('50 puts at once have growing ids', ids.every((id, index) => index === 0 || Number(id) > Number(ids[index - 1])))
  for (const id of ids) {
    const next = await client.reserve()
    if (next.id !== id) check('and are given in their order', false, [next.id, id])
    await client.delete(next.id)
  }
  await refused('a job over the limit is JOB_TOO_BIG', 'JOB_TOO_BIG', client.put('x'.repeat(70000)))
  await refused('a name over 200 bytes is BAD_FORMAT', 'BAD_FORMAT', client.use('x'.repeat(201)))

  stats = keys(await client.stats())
  check('stats has its keys', ['current-jobs-ready', 'cmd-put', 'version', 'draining'].every(key => stats.has(key)))
  equal('nothing is left over', stats.get('current-jobs-ready'), 0)
  await client.quit()
}

setTimeout(() => {
  console.log('FAIL: jackd: not done after 60 s')
  process.exit(1)
}, 60000).unref()

main().then(
  () => process.exit(failures ? 1 : 0),
  error => {
    console.log(`FAIL: jackd: ${error.stack ?? error}`)
    process.exit(1)
  },
)
