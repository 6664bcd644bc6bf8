"use strict"
// The page: it listens to the daemon while somebody looks, and hands on what it hears.

const cards = new Map() // of cameras, by name
const region = $("#region")
let wanted = JSON.stringify(["", ""]) // camera and region whose scores are shown
let source = null
let again = 0

// listen opens the stream; the browser opens it again where it breaks off.
function listen() {
  hush()
  if (document.hidden) return
  const [camera, name] = JSON.parse(wanted)
  source = new EventSource("api/stream?" + new URLSearchParams({ camera, region: name }))
  const on = (kind, f) => source.addEventListener(kind, e => f(JSON.parse(e.data)))
  on("state", showState)
  on("events", events => lastEvents.replace(events))
  on("event", event => lastEvents.add(event))
  on("history", h => scores.history(h))
  on("scores", d => scores.add(d))
  source.addEventListener("error", () => {
    summarize("bad", "tarsier does not answer; trying again")
    document.body.classList.add("lost")
    for (const card of cards.values()) card.live.of(null)
    if (source && source.readyState === EventSource.CLOSED) again = setTimeout(listen, 3000) // the browser has given up
  })
}

function hush() {
  clearTimeout(again)
  if (source) source.close()
  source = null
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hush()
  else listen()
  for (const card of cards.values()) card.live.look()
})

// plot shows the scores of a region.
function plot(camera, name) {
  const key = JSON.stringify([camera, name])
  region.value = key
  if (key === wanted) return
  wanted = key
  scores.none()
  listen()
}

region.addEventListener("change", () => plot(...JSON.parse(region.value)))

function summarize(state, text) {
  const summary = $("#summary")
  summary.dataset.state = state
  say(summary, text)
}

function showState(v) {
  document.body.classList.remove("lost")
  say($("#node"), v.node)
  document.title = v.node + " – tarsier"
  const trouble = [
    ...v.cameras.filter(c => !c.online && !c.paused).map(c => `${c.name} is offline`),
    !v.broker.connected && (v.broker.queued > 0 ? `no broker, ${plural(v.broker.queued, "event")} ${v.broker.queued === 1 ? "waits" : "wait"}` : "no broker"),
    v.broker.queue_error && "events wait in memory only",
    v.throttled && "the board slows itself down",
  ].filter(Boolean)
  summarize(trouble.length > 0 ? "warn" : "good", trouble.join(" · ") || "All is well")
  showCameras(v)
  showRegionChoice(v)
  showSystem(v)
}

function showCameras(v) {
  const parent = $("#cameras .cards")
  for (const [name, card] of cards) {
    if (v.cameras.some(c => c.name === name)) continue
    card.close()
    cards.delete(name)
  }
  v.cameras.forEach((camera, i) => {
    if (!cards.has(camera.name)) {
      cards.set(camera.name, new CameraCard(camera.name, (c, r) => {
        plot(c, r)
        $("#scores").scrollIntoView({ block: "nearest" })
      }, c => drawing.open(c)))
    }
    const card = cards.get(camera.name)
    if (parent.children[i] !== card.element) parent.insertBefore(card.element, parent.children[i] || null)
    card.show(camera, v.time)
  })
}

// showRegionChoice lists the regions, and takes the first if none is chosen or it is gone.
function showRegionChoice(v) {
  const all = v.cameras.flatMap(c => c.regions.map(r => [c.name, r.name]))
  const keys = all.map(pair => JSON.stringify(pair))
  if (region.dataset.keys !== keys.join()) {
    region.dataset.keys = keys.join()
    region.replaceChildren(...all.map(([camera, name], i) => {
      const option = make("option", {}, `${camera} / ${name}`)
      option.value = keys[i]
      return option
    }))
    region.value = wanted
  }
  if (!keys.includes(wanted) && all.length > 0) plot(...all[0])
  const [camera, name] = JSON.parse(wanted)
  const c = v.cameras.find(c => c.name === camera)
  if (c) say($("#thresholds-where"), c.regions.length === 1 ? `Paste it below camera ${camera}.` : `Paste it below region ${name} of camera ${camera}.`)
}

const mebibytes = n => n < 1024 * 2 ** 20 ? `${Math.round(n / 2 ** 20)} MiB` : `${(n / 2 ** 30).toFixed(1)} GiB`

function showSystem(v) {
  const b = v.broker
  const rows = [
    ["Broker", b.connected ? "connected" : "away" + (b.error ? `: ${b.error}` : ""), !b.connected],
    ["Queue", (b.queued === 0 ? "nothing waits" : `${plural(b.queued, "event")} ${b.queued === 1 ? "waits" : "wait"}`) + `, ${b.sent} sent` +
      (b.dropped > 0 ? `, ${b.dropped} dropped` : "") + (b.queue_error ? `; in memory only: ${b.queue_error}` : ""), b.queue_error || b.dropped > 0],
    ["Board", [v.board, v.temperature_c !== null && `${Math.round(v.temperature_c)} °C`, v.throttled && "slows itself down: too hot, or too little voltage"]
      .filter(Boolean).join(", "), v.throttled],
    ["Memory", [`${mebibytes(v.memory.rss)} used by the daemon`, v.memory.available !== null && `${mebibytes(v.memory.available)} available`].filter(Boolean).join(", ")],
    ["Model", `${v.model}, width ${v.width_mult}, ${v.kernel} kernel`],
    ["Version", `${v.version}, up since ${new Date(v.started).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}`],
  ]
  const items = sized($("#system dl"), rows.length, () => make("div", {}, make("dt"), make("dd")))
  rows.forEach(([name, value, bad], i) => {
    say(items[i].firstChild, name)
    say(items[i].lastChild, value)
    items[i].lastChild.classList.toggle("bad", Boolean(bad))
  })
}

scores.start()
drawing.start()
listen()
