"use strict"
// The cameras: what they see, with regions drawn on it, and how they do.

// wholeFrame says whether a box is the whole picture.
const wholeFrame = box => box[0] === 0 && box[1] === 0 && box[2] === 1 && box[3] === 1

// A LivePicture shows a camera's newest picture, about one a second while it is in view and somebody looks, and costs nothing else.
class LivePicture {
  constructor(img) {
    this.img = img
    this.url = null // no camera, or one without pictures
    this.seen = false
    this.next = 0
    this.timer = 0
    this.loading = false
    this.done = () => {
      this.loading = false
      this.look()
    }
    for (const end of ["load", "error"]) img.addEventListener(end, this.done)
    this.observer = new IntersectionObserver(entries => {
      this.seen = entries[entries.length - 1].isIntersecting
      this.look()
    })
    this.observer.observe(img)
  }

  // of takes the name of a camera; null: no new pictures.
  of(camera) {
    const url = camera === null ? null : `cameras/${encodeURIComponent(camera)}/picture.jpg`
    if (url === this.url) return
    this.url = url
    this.look()
  }

  // look asks for the next picture when it is time, if anybody wants it.
  look() {
    clearTimeout(this.timer)
    this.timer = 0
    if (!this.url || !this.seen || this.loading || document.hidden) return
    const wait = this.next - performance.now()
    if (wait > 0) {
      this.timer = setTimeout(() => this.look(), wait)
      return
    }
    this.next = performance.now() + 1000
    this.loading = true
    this.img.src = `${this.url}?${Date.now()}`
  }

  close() {
    for (const end of ["load", "error"]) this.img.removeEventListener(end, this.done)
    this.url = null
    clearTimeout(this.timer)
    this.observer.disconnect()
  }
}

// A CameraCard shows one camera.
class CameraCard {
  constructor(name, onRegion, onDraw) {
    this.name = name
    this.onRegion = onRegion
    this.counts = [] // of the last seconds: when, and frames until then
    this.img = make("img", { alt: `What ${name} sees now` })
    this.outlines = makeSVG("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" })
    this.tags = make("div", { class: "tags", "aria-hidden": "true" }) // the list below says the same
    this.veil = make("p", { class: "veil" })
    this.state = make("span", { class: "soft" })
    this.draw = make("button", { type: "button" }, "Draw a region")
    this.draw.setAttribute("aria-label", `Draw a region of ${name}`)
    this.draw.addEventListener("click", () => onDraw(this.last))
    this.regions = make("div", { class: "regions" })
    this.numbers = make("dl", { class: "numbers" })
    const heading = make("h3", {}, name)
    this.element = make("article", { class: "panel camera", "aria-label": `Camera ${name}` },
      make("div", { class: "picture" }, this.img, this.outlines, this.tags, this.veil),
      make("div", { class: "title" }, heading, this.state, this.draw),
      this.regions, this.numbers)
    this.live = new LivePicture(this.img)
  }

  close() {
    this.live.close()
    this.element.remove()
  }

  show(camera, time) {
    this.last = camera
    this.live.of(camera.online && !camera.paused ? camera.name : null)
    const state = camera.paused ? "paused" : camera.online ? "online" : "offline"
    this.element.dataset.state = state
    say(this.veil, camera.paused ? "Paused" : camera.online ? "" : "Offline" + (camera.error ? ": " + camera.error : ""))
    this.veil.hidden = state === "online"
    this.draw.disabled = !this.img.naturalWidth
    say(this.state, state !== "online" ? state : camera.age_s === null ? "no picture yet" : camera.age_s < 10 ? `${camera.age_s.toFixed(1)} s ago` : `${Math.round(camera.age_s)} s ago`)
    this.showRegions(camera.regions)
    this.showNumbers(camera, time)
  }

  showRegions(regions) {
    const outlines = sized(this.outlines, regions.length, () => makeSVG("rect"))
    const tags = sized(this.tags, regions.length, () => make("p"))
    const rows = sized(this.regions, regions.length, () => this.makeRegion())
    regions.forEach((r, i) => {
      const [x, y, width, height] = r.box, whole = wholeFrame(r.box)
      for (const [name, value] of Object.entries({ x, y, width, height })) outlines[i].setAttribute(name, value)
      outlines[i].classList.toggle("entered", r.state.entered.length > 0)
      outlines[i].classList.toggle("whole", whole)
      Object.assign(tags[i].style, { left: percent(x), top: percent(y), maxWidth: percent(Math.max(width, 0.3)) })
      sized(tags[i], (whole ? 0 : 1) + r.state.entered.length, () => make("span"))
      ;[...whole ? [] : [r.name], ...r.state.entered.map(e => e.label)].forEach((text, j) => {
        const tag = tags[i].children[j]
        say(tag, text)
        tag.className = !whole && j === 0 ? "name" : "entered"
      })
      this.showRegion(rows[i], r)
    })
  }

  makeRegion() {
    const button = make("button", { type: "button", class: "link" })
    button.addEventListener("click", () => this.onRegion(this.name, button.dataset.region))
    return make("section", { class: "region" }, make("h4", {}, button), make("ul"))
  }

  showRegion(row, region) {
    const button = $("button", row)
    button.dataset.region = region.name
    say(button, region.name)
    button.setAttribute("aria-label", `${region.name}: show its scores`)
    const entered = new Map(region.state.entered.map(e => [e.index, e]))
    // What is entered is shown, also where others have better scores now.
    const scores = [...region.top, ...region.state.entered.filter(e => !region.top.some(t => t.index === e.index))]
    const items = sized($("ul", row), scores.length, () => make("li", { class: "score" }, make("i"), make("span"), make("small"), make("span")))
    scores.forEach((s, i) => {
      const [bar, label, since, score] = items[i].children, is = entered.get(s.index)
      items[i].classList.toggle("entered", is !== undefined)
      bar.style.transform = `scaleX(${s.score})`
      say(label, s.label)
      say(since, is ? `entered ${clockTime(is.since)}` : "")
      say(score, s.score.toFixed(2))
    })
  }

  showNumbers(camera, time) {
    const now = Date.parse(time)
    const latest = this.counts[this.counts.length - 1]
    if (latest && (camera.frames < latest.frames || now < latest.now)) this.counts = [] // another run
    this.counts.push({ now, frames: camera.frames })
    while (this.counts.length > 11) this.counts.shift()
    const first = this.counts[0], seconds = (now - first.now) / 1000
    const ms = stage => (camera.latency_ms[stage] || 0) < 10 ? `${(camera.latency_ms[stage] || 0).toFixed(1)} ms` : `${Math.round(camera.latency_ms[stage])} ms`
    const numbers = [
      ["frames a second", seconds > 0 ? ((camera.frames - first.frames) / seconds).toFixed(1) : "–"],
      ["capture", ms("capture")], ["network", ms("infer")], ["waiting", ms("wait")], ["in all", ms("total")],
      ["dropped", String(camera.dropped)],
    ]
    const items = sized(this.numbers, numbers.length, () => make("div", {}, make("dt"), make("dd")))
    numbers.forEach(([name, value], i) => {
      say(items[i].firstChild, name)
      say(items[i].lastChild, value)
    })
  }
}
