// What Hissuno's widget does with its server, as its contract tells it: a page of
// our own, for tests.
"use strict"

class Hook {
  constructor(options) {
    Object.assign(this, { headers: {}, inactivityTimeout: 1800000, sessionId: crypto.randomUUID(), ...options })
    this.currentSessionId = this.sessionId
    this.messages = []
    this.isLoading = this.isStreaming = this.latched = this.closed = false
    this.streamingContent = ""
    this.error = null
    this.closes = this.storms = 0
    this.grown = [] // lengths of streamingContent, as they were seen
    this.seen = new Set()
  }

  mount() {
    addEventListener("beforeunload", () => navigator.sendBeacon(this.apiUrl + "/close", JSON.stringify(this.about())))
    this.enter(this.currentSessionId)
  }

  about() { return { sessionId: this.currentSessionId, projectId: this.projectId } }

  query(path) { return this.apiUrl + path + "?" + new URLSearchParams({ projectId: this.projectId, sessionId: this.currentSessionId }) }

  key() { return `hissuno_chat_${this.projectId}_${this.currentSessionId}` }

  enter(id) {
    this.currentSessionId = id
    this.closed = false
    this.seen.clear()
    const stored = JSON.parse(localStorage.getItem(this.key()) ?? "[]")
    const greeting = this.initialMessage ? [{ id: crypto.randomUUID(), role: "assistant", content: this.initialMessage }] : []
    this.messages = stored.length ? stored : greeting
    this.changed()
    this.ready = this.resume()
  }

  async resume() {
    try {
      const response = await fetch(this.query(""))
      if (response.ok && (await response.json()).isRunning) {
        this.isLoading = true
        this.stream()
      }
    } catch { /* it is ignored */ }
  }

  append(message) {
    this.messages = [...this.messages, { id: crypto.randomUUID(), createdAt: new Date().toISOString(), ...message }]
    this.changed()
  }

  // changed is what follows from another number of messages.
  changed() {
    if (this.messages.length) localStorage.setItem(this.key(), JSON.stringify(this.messages))
    this.updates()
    clearTimeout(this.idle)
    if (this.inactivityTimeout > 0 && this.messages.length) this.idle = setTimeout(() => this.closeSession(), this.inactivityTimeout)
  }

  post(path, body) {
    return fetch(this.apiUrl + path, { method: "POST", headers: { "Content-Type": "application/json", ...this.headers }, body: JSON.stringify(body) })
  }

  async handleSubmit(input) {
    const text = input.trim()
    if (!text) return
    if (new TextEncoder().encode(text).length > 4096) {
      this.error = new Error("Message too long. Maximum 4096 bytes allowed.")
      return
    }
    this.error = null
    this.isLoading = true
    this.append({ role: "user", content: text })
    const body = { messages: this.messages.map(({ role, content }) => ({ role, content })), projectId: this.projectId, sessionId: this.currentSessionId,
      pageUrl: location.href, pageTitle: document.title, userId: this.userId, userMetadata: this.userMetadata, widgetToken: this.widgetToken }
    try {
      const response = await this.post("", body)
      const answer = await response.json()
      if (response.status === 409) return this.stream()
      if (!response.ok) throw new Error(answer.error ?? "Failed to send message")
      if (answer.status === "human_takeover") this.isLoading = false
      else this.stream()
    } catch (error) {
      this.error = error
      this.isLoading = false
    }
  }

  stream() {
    if (this.latched) return
    this.latched = true
    const source = this.source = new EventSource(this.query("/stream"))
    const end = () => {
      source.close()
      this.latched = this.isLoading = this.isStreaming = false
      this.streamingContent = ""
    }
    source.onmessage = ({ data }) => {
      const event = JSON.parse(data)
      switch (event.type) {
        case "message-chunk":
          this.isStreaming = true
          this.streamingContent += event.content
          this.grown.push(this.streamingContent.length)
          break
        case "message-complete": {
          const content = this.streamingContent
          end()
          if (content) this.append({ role: "assistant", content })
          break
        }
        case "error":
          end()
          this.error = new Error(event.message ?? "Chat failed")
      }
    }
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) end() }
  }

  updates() {
    this.letters?.close()
    clearTimeout(this.again)
    if (this.messages.length < 2 || this.closed) return
    this.storms++
    const source = this.letters = new EventSource(this.query("/updates"))
    source.onmessage = ({ data }) => {
      const event = JSON.parse(data)
      if (event.type === "message") this.letter(event.message)
      if (event.type !== "status-change") return
      if (event.status === "human_takeover") this.append({ role: "assistant", senderType: "system", content: "A human agent will be with you shortly." })
      if (event.status === "closed") {
        this.closed = true
        source.close()
        this.closes++
      }
    }
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) this.again = setTimeout(() => this.updates(), 5000) }
  }

  letter({ id, role, content, createdAt, senderType }) {
    if (!id || !["user", "assistant"].includes(role) || !content || new TextEncoder().encode(content).length > 4096) {
      throw new Error("a letter that the widget drops")
    }
    if (this.seen.has(id)) return
    this.seen.add(id)
    this.append({ id, role, content, createdAt: new Date(createdAt).toISOString(), senderType: senderType ?? "human_agent" })
  }

  async cancelChat() {
    const response = await this.post("/stream/cancel", this.about())
    const answer = await response.json()
    if (!response.ok) {
      this.error = new Error(answer.error ?? "Failed to cancel")
      return answer
    }
    this.source?.close()
    this.latched = this.isLoading = this.isStreaming = false
    this.streamingContent = ""
    return answer
  }

  async closeSession() {
    clearTimeout(this.idle)
    this.closed = true
    this.letters?.close()
    const response = await this.post("/close", this.about())
    this.closes++
    return response.json()
  }

  clearHistory() {
    this.source?.close()
    if (this.userId && this.messages.length) {
      const key = `hissuno_sessions_${this.projectId}_${this.userId}`
      const entry = { sessionId: this.currentSessionId, userId: this.userId, messageCount: this.messages.length }
      localStorage.setItem(key, JSON.stringify([entry, ...this.getSessionHistory()].slice(0, 50)))
    }
    this.leave()
    this.enter(crypto.randomUUID())
  }

  loadSession(id) {
    this.source?.close()
    this.leave()
    this.enter(id)
  }

  leave() {
    this.isLoading = this.isStreaming = false
    this.streamingContent = ""
  }

  getSessionHistory() {
    return JSON.parse(localStorage.getItem(`hissuno_sessions_${this.projectId}_${this.userId}`) ?? "[]")
  }

  deleteSession(id) {
    localStorage.setItem(`hissuno_sessions_${this.projectId}_${this.userId}`, JSON.stringify(this.getSessionHistory().filter(s => s.sessionId !== id)))
    localStorage.removeItem(`hissuno_chat_${this.projectId}_${id}`)
  }
}
