"use strict"

// A ScorePlot shows what a region scored over some time: the smoothed scores of the best labels, enter and leave as lines that
// can be dragged, and the events that these thresholds make. Options:
//   onThresholds(thresholds)  a line was moved; plot.simulation is of the new ones already
//   onCursor(time)            the pointer is at that time, in nanoseconds since the start; null: nowhere
//   elapsed                   the axis shows the time since the start, not that of day
class ScorePlot {
  static lines = 6

  constructor(element, { onThresholds = () => {}, onCursor = () => {}, elapsed = false } = {}) {
    Object.assign(this, { element, onThresholds, onCursor, elapsed, recording: null, thresholds: null, marks: [], slots: [], points: [] })
    const make = (tag, name, ...children) => {
      const e = document.createElement(tag)
      e.className = name
      e.append(...children)
      return e
    }
    this.canvas = make("div", "plot-canvas")
    this.canvas.setAttribute("role", "img")
    this.handles = { enter: this.handle(make, "enter"), leave: this.handle(make, "leave") }
    this.overlay = make("div", "plot-lines", this.handles.enter, this.handles.leave)
    this.rows = []
    for (let slot = 0; slot < ScorePlot.lines; slot++) {
      const row = make("tr", "")
      const swatch = make("i", "plot-swatch"), note = make("small", "")
      const name = make("th", "", swatch, make("span", ""), note)
      name.scope = "row"
      row.append(name, make("td", ""), make("td", ""), make("td", ""))
      swatch.style.background = `var(--plot-${slot + 1})`
      this.rows.push(row)
    }
    const heads = ["Label", "Score", "Highest", "Entered"].map(text => {
      const th = make("th", "", text)
      th.scope = "col"
      return th
    })
    this.when = heads[1]
    this.legend = make("table", "plot-legend", make("thead", "", make("tr", "", ...heads)), make("tbody", "", ...this.rows))
    this.key = make("p", "plot-key")
    element.classList.add("score-plot")
    element.replaceChildren(make("div", "plot-chart", this.canvas, this.overlay), this.key, this.legend)

    this.uplot = new uPlot(this.options(), [[]], this.canvas)
    this.resized = new ResizeObserver(() => this.resize())
    this.resized.observe(this.canvas)
    this.scheme = matchMedia("(prefers-color-scheme: dark)")
    this.recolour = () => this.uplot.redraw(false)
    this.scheme.addEventListener("change", this.recolour)
  }

  // set shows a recording. Marks are events that did happen: times as those of simulate, or as in MQTT.
  set(recording, thresholds, marks = []) {
    Object.assign(this, { recording, thresholds, marks })
    this.start = this.elapsed ? 0 : Date.parse(recording.start) / 1000
    this.update()
  }

  destroy() {
    this.resized.disconnect()
    this.scheme.removeEventListener("change", this.recolour)
    this.uplot.destroy()
    this.element.replaceChildren()
    this.element.classList.remove("score-plot")
  }

  options() {
    const text = () => this.colour("--plot-text"), grid = { stroke: () => this.colour("--plot-grid"), width: 1 }
    const axis = { stroke: text, grid, ticks: { ...grid, size: 4 }, font: "12px system-ui, sans-serif" }
    return {
      ...this.size(),
      padding: [14, 10, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
      scales: { x: { time: !this.elapsed }, y: { range: [0, 1] } },
      axes: [
        {
          ...axis, size: 30, space: 70, incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 21600],
          values: (_, times, axis, space, increment) => times.map(t => this.time(t, { second: increment < 60 ? "2-digit" : undefined })),
        },
        { ...axis, size: 38, splits: [0, 0.2, 0.4, 0.6, 0.8, 1], values: (_, scores) => scores.map(s => s.toFixed(1)) },
      ],
      series: [{}, ...this.rowsOf(slot => ({ stroke: () => this.colour(`--plot-${slot + 1}`), width: 1.5, points: { show: false } }))],
      hooks: { draw: [() => this.drawEvents()], setCursor: [() => this.cursor()], setSize: [() => this.place()] },
    }
  }

  rowsOf(f) {
    return Array.from({ length: ScorePlot.lines }, (_, slot) => f(slot))
  }

  size() {
    return { width: Math.max(this.canvas.clientWidth, 120), height: Math.max(this.canvas.clientHeight, 120) }
  }

  resize() {
    const size = this.size()
    if (size.width !== this.uplot.width || size.height !== this.uplot.height) this.uplot.setSize(size)
    this.place()
  }

  colour(name) {
    return getComputedStyle(this.element).getPropertyValue(name).trim()
  }

  // update simulates and draws.
  update() {
    const { recording, thresholds } = this
    this.simulation = simulate(recording, thresholds)
    this.choose()
    // The lines break where the camera did, between its last frame and the next.
    this.points = []
    for (let frame = 0, end = 0; frame <= recording.times.length; frame++) {
      for (; end < recording.ends.length && recording.ends[end].frame <= frame; end++) this.points.push({ time: recording.ends[end].time, frame: -1 })
      if (frame < recording.times.length) this.points.push({ time: recording.times[frame], frame })
    }
    let latest = -Infinity
    this.x = this.points.map(p => latest = Math.max(latest, this.start + p.time / 1e9)) // where time stepped back it stands still
    const lines = this.slots.map(i => this.points.map(p => i === undefined || p.frame < 0 ? null : this.simulation.averages[i][p.frame]))
    this.uplot.setData([this.x, ...lines])
    this.canvas.setAttribute("aria-label", `Scores over time; enter at ${thresholds.enter}, leave below ${thresholds.leave}. The table has the numbers.`)
    this.place()
    this.fill()
  }

  // choose takes the labels that have events and then those with the best scores. One that is shown already keeps its colour.
  choose() {
    const eventful = new Set([...this.simulation.events, ...this.marks].map(e => e.index))
    this.highest = this.simulation.averages.map(averages => averages.reduce((a, b) => Math.max(a, b), 0))
    const rank = i => this.highest[i] + (eventful.has(this.recording.labels[i].index) ? 1 : 0)
    const best = this.recording.labels.map((_, i) => i).filter(i => rank(i) > 0).sort((a, b) => rank(b) - rank(a)).slice(0, ScorePlot.lines)
    const before = this.shown || []
    const slots = this.rowsOf(slot => best.find(i => this.recording.labels[i].index === before[slot]))
    const fresh = best.filter(i => !slots.includes(i))
    this.slots = slots.map(i => i === undefined ? fresh.shift() : i)
    this.shown = this.slots.map(i => i === undefined ? undefined : this.recording.labels[i].index)
  }

  // fill writes the table below the plot: the scores under the pointer, else the newest.
  fill() {
    const { recording, thresholds } = this
    const at = this.uplot.cursor.idx ?? this.points.findLastIndex(p => p.frame >= 0), point = this.points[at]
    this.when.textContent = this.uplot.cursor.idx == null ? "Last score" : "At " + this.time(this.x[at], { second: "2-digit" })
    this.slots.forEach((i, slot) => {
      const row = this.rows[slot]
      row.hidden = i === undefined
      if (row.hidden) return
      const { label, index } = recording.labels[i]
      const own = thresholds.labels.find(l => l.index === index)
      const ignored = thresholds.only.length > 0 && !thresholds.only.includes(index)
      const entered = this.simulation.events.filter(e => e.index === index && e.type === "enter").length
      const [name, score, highest, times] = row.children
      name.children[1].textContent = label
      name.children[2].textContent = ignored ? "makes no events" : own ? `enter ${own.enter}, leave ${own.leave}` : ""
      score.textContent = point && point.frame >= 0 ? this.simulation.averages[i][point.frame].toFixed(2) : "–"
      highest.textContent = this.highest[i].toFixed(2)
      times.textContent = entered === 0 ? "–" : entered + "×"
    })
    const more = new Set(this.simulation.events.map(e => e.index).filter(index => !this.shown.includes(index))).size
    this.key.textContent = "● entered, ○ left with these thresholds" + (this.marks.length > 0 ? "; ▲ ▽ as it really was" : "") +
      (more > 0 ? `; ${more} more ${more === 1 ? "label has" : "labels have"} events` : "")
  }

  cursor() {
    if (!this.recording) return
    const idx = this.uplot.cursor.idx
    if (idx === this.pointed) return
    this.pointed = idx
    this.fill()
    this.onCursor(idx == null || !this.points[idx] ? null : this.points[idx].time)
  }

  // drawEvents fills below a label's line while it is entered, and marks where that begins and ends.
  drawEvents() {
    if (!this.recording) return
    const { ctx, bbox } = this.uplot, scale = devicePixelRatio
    const px = time => this.uplot.valToPos(this.start + time / 1e9, "x", true), py = score => this.uplot.valToPos(score, "y", true)
    ctx.save()
    ctx.lineWidth = 1.5 * scale
    this.slots.forEach((i, slot) => {
      if (i === undefined) return
      const index = this.recording.labels[i].index, colour = this.colour(`--plot-${slot + 1}`)
      ctx.strokeStyle = colour
      let since = null
      const events = this.simulation.events.filter(e => e.index === index)
      for (const event of [...events, null]) {
        if (event && event.type === "enter") since = event
        else if (since) this.fillBelow(i, since.time, event ? event.time : Infinity, colour)
        if (!event || event.type === "leave") since = null
      }
      for (const event of events) {
        ctx.beginPath()
        ctx.arc(px(event.time), py(event.score), 4 * scale, 0, 2 * Math.PI)
        ctx.fillStyle = event.type === "enter" ? colour : this.colour("--plot-back")
        ctx.fill()
        ctx.stroke()
      }
      // What really happened is below: a bar from enter to leave, and a triangle where each is known.
      const base = bbox.top + bbox.height, right = bbox.left + bbox.width
      let from = bbox.left
      for (const mark of this.marks.filter(m => m.index === index)) {
        const time = typeof mark.time === "string" ? (Date.parse(mark.time) / 1000 - this.start) * 1e9 : mark.time
        const x = Math.min(right, Math.max(bbox.left, px(time))), up = mark.type === "enter" ? 1 : -1
        if (up < 0 && x > from) {
          ctx.fillStyle = colour
          ctx.fillRect(from, base - 3 * scale, x - from, 3 * scale)
        }
        if (up > 0) from = x
        if (px(time) !== x) continue
        ctx.beginPath()
        ctx.moveTo(x, base - (6 + 5 * up) * scale)
        ctx.lineTo(x - 5 * scale, base - (6 - 5 * up) * scale)
        ctx.lineTo(x + 5 * scale, base - (6 - 5 * up) * scale)
        ctx.closePath()
        ctx.fillStyle = up > 0 ? colour : this.colour("--plot-back")
        ctx.fill()
        ctx.stroke()
      }
    })
    ctx.restore()
  }

  fillBelow(i, from, to, colour) {
    const { ctx } = this.uplot, base = this.uplot.valToPos(0, "y", true)
    let at = this.at(from), x = 0
    ctx.beginPath()
    for (let first = true; at < this.points.length && this.points[at].time <= to; at++) {
      const p = this.points[at]
      if (p.frame < 0) continue
      x = this.uplot.valToPos(this.x[at], "x", true)
      if (first) ctx.moveTo(x, base)
      first = false
      ctx.lineTo(x, this.uplot.valToPos(this.simulation.averages[i][p.frame], "y", true))
    }
    ctx.lineTo(x, base)
    ctx.globalAlpha = 0.18
    ctx.fillStyle = colour
    ctx.fill()
    ctx.globalAlpha = 1
  }

  // time writes a place on the axis.
  time(x, how) {
    return this.elapsed ? ScorePlot.clock(x) : new Date(1000 * x).toLocaleTimeString([], { hour: "numeric", minute: "2-digit", ...how })
  }

  // at gives the first point at a time or after it.
  at(time) {
    let low = 0, high = this.x.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.x[middle] < this.start + time / 1e9) low = middle + 1
      else high = middle
    }
    return low
  }

  // handle makes one of the two lines: a slider for the pointer, a finger and the keyboard.
  handle(make, name) {
    const handle = make("div", "plot-line plot-" + name, make("span", ""))
    handle.tabIndex = 0
    const aria = { role: "slider", "aria-label": `${name === "enter" ? "Enter" : "Leave"} threshold`, "aria-orientation": "vertical", "aria-valuemin": "0", "aria-valuemax": "1" }
    for (const [key, value] of Object.entries(aria)) handle.setAttribute(key, value)
    let grip = null // where on the line it was taken
    handle.addEventListener("pointerdown", e => {
      if (!this.recording || e.button !== 0) return
      e.preventDefault()
      handle.focus()
      handle.setPointerCapture(e.pointerId)
      grip = e.clientY - this.overlay.getBoundingClientRect().top - this.uplot.valToPos(this.thresholds[name], "y")
    })
    handle.addEventListener("pointermove", e => {
      if (grip !== null) this.move(name, this.uplot.posToVal(e.clientY - this.overlay.getBoundingClientRect().top - grip, "y"))
    })
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) handle.addEventListener(end, () => { grip = null })
    handle.addEventListener("keydown", e => {
      const steps = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01, PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 }
      if (!this.recording || !(e.key in steps)) return
      e.preventDefault()
      this.move(name, this.thresholds[name] + steps[e.key])
    })
    return handle
  }

  // move sets a threshold; the other goes along where leave would be above enter.
  move(name, value) {
    const least = name === "enter" ? ScorePlot.lowestEnter(this.recording) : 0
    value = Math.round(100 * Math.min(1, Math.max(least, value))) / 100
    if (value === this.thresholds[name]) return
    const { enter, leave } = this.thresholds
    this.thresholds = { ...this.thresholds, ...name === "enter" ? { enter: value, leave: Math.min(leave, value) } : { enter: Math.max(enter, value), leave: value } }
    this.update()
    this.onThresholds(this.thresholds)
  }

  // place puts the lines where their scores are.
  place() {
    if (!this.recording) return
    const { bbox } = this.uplot, scale = devicePixelRatio
    Object.assign(this.overlay.style, { left: bbox.left / scale + "px", top: bbox.top / scale + "px", width: bbox.width / scale + "px", height: bbox.height / scale + "px" })
    for (const [name, handle] of Object.entries(this.handles)) {
      const value = this.thresholds[name]
      handle.style.top = 100 * (1 - value) + "%"
      handle.firstChild.textContent = `${name} ${value}`
      handle.setAttribute("aria-valuenow", value)
    }
  }

  // lowestEnter is the least enter for which a recording knows all events: labels that it left out scored up to its floor.
  static lowestEnter(recording) {
    return recording.floor > 0 ? Math.min(1, (Math.floor(100 * recording.floor) + 1) / 100) : 0
  }

  // clock writes seconds since the start: 1:05.
  static clock(seconds) {
    const s = Math.round(seconds), two = n => String(n).padStart(2, "0")
    return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`
  }
}
