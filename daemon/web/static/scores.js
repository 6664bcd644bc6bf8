"use strict"
// The scores of a region over the last minutes, and what other thresholds would have made of them.

const scores = {
  keep: 11 * 60e9, // of the recording, in nanoseconds: a minute more than is dropped at once
  recording: null, // null: there is none
  current: null,   // the thresholds that the daemon uses
  tried: null,     // others; null: none are tried
  plot: null,
  panel: $("#scores .panel"),
  form: $("#sliders"),
  sliders: {},
  columns: [["enter", "Enter at", 1, 0.01], ["leave", "Leave below", 1, 0.01], ["hold_ns", "Hold", 10, 0.1], ["smoothing_ns", "Smoothing", 10, 0.1]],

  start() {
    for (const [key, name, max, step] of this.columns) {
      const input = make("input", { type: "range", min: 0, max, step, id: `slider-${key}` }), output = make("output", { for: input.id })
      input.addEventListener("input", () => this.slide(key, Number(input.value)))
      this.form.append(make("div", { class: "slider" }, make("label", { for: input.id }, name), input, output))
      this.sliders[key] = { input, output, max }
    }
    this.form.addEventListener("submit", e => e.preventDefault())
    this.form.addEventListener("reset", e => {
      e.preventDefault()
      this.tried = null
      this.show()
    })
    this.none()
  },

  // none shows that there are no scores.
  none() {
    this.recording = this.tried = null
    this.panel.classList.add("none")
  },

  // history begins anew, with all that the daemon knows.
  history(h) {
    if (JSON.stringify(h.thresholds) !== JSON.stringify(this.current)) this.tried = null
    this.recording = h
    this.current = h.thresholds
    this.panel.classList.toggle("none", h.times.length === 0)
    this.show()
  },

  // add goes on with what is new.
  add(d) {
    const r = this.recording
    if (!r) return
    const base = r.times.length
    for (const e of d.ends) r.ends.push({ frame: base + e.frame, time: e.time - r.uptime, reason: e.reason })
    for (const e of d.events) r.events.push({ ...e, time: e.time - r.uptime })
    r.events.sort((a, b) => a.time - b.time) // one whose picture took long came late
    const frames = d.frames.map(f => {
      const of = new Map()
      for (let i = 0; i < f.length; i += 2) of.set(f[i], f[i + 1])
      return of
    })
    for (const t of d.times) r.times.push(t - r.uptime)
    for (const l of r.labels) for (const of of frames) l.scores.push(of.get(l.index) || 0)
    this.trim()
    this.panel.classList.toggle("none", r.times.length === 0)
    this.show()
  },

  // trim drops a minute when there is one too many.
  trim() {
    const r = this.recording, last = r.times[r.times.length - 1]
    if (r.times.length === 0 || last - r.times[0] < this.keep) return
    const from = last - this.keep + 60e9, n = r.times.findIndex(t => t >= from)
    r.times.splice(0, n)
    for (const l of r.labels) l.scores.splice(0, n)
    r.ends = r.ends.filter(e => e.frame >= n).map(e => ({ ...e, frame: e.frame - n }))
    r.events = r.events.filter(e => e.time >= from)
  },

  slide(key, value) {
    const t = { ...(this.tried || this.current) }
    t[key] = key.endsWith("_ns") ? Math.round(value * 1e9) : value
    if (key === "enter") {
      t.enter = Math.max(t.enter, ScorePlot.lowestEnter(this.recording))
      t.leave = Math.min(t.leave, t.enter)
    }
    if (key === "leave") t.enter = Math.max(t.enter, t.leave)
    this.tried = t
    this.show()
  },

  // show draws everything.
  show() {
    const r = this.recording
    if (!r || r.times.length === 0) return
    const thresholds = this.tried || this.current
    if (!this.plot) this.plot = new ScorePlot($("#plot"), { onThresholds: t => { this.tried = t; this.showTried() } })
    this.plot.set(r, thresholds, r.events)
    this.showTried()
  },

  // showTried shows what the thresholds make of it; the plot has just simulated them.
  showTried() {
    const r = this.recording, t = this.tried || this.current
    for (const [key] of this.columns) {
      const { input, output, max } = this.sliders[key], value = key.endsWith("_ns") ? t[key] / 1e9 : t[key]
      input.max = Math.max(max, this.current[key] / (key.endsWith("_ns") ? 1e9 : 1))
      if (Number(input.value) !== value) input.value = value
      say(output, key.endsWith("_ns") ? `${+value.toFixed(2)} s` : value.toFixed(2))
      input.setAttribute("aria-valuetext", output.textContent)
    }
    $("button", this.form).hidden = !this.tried
    this.compare(r.events, this.plot.simulation.events)
    say($("#thresholds-yaml"), thresholdsYAML(t, [...r.labels, ...r.names]))
  },

  // compare puts the events that were beside those that these thresholds give.
  compare(were, would) {
    const r = this.recording, from = r.times[0], to = r.times[r.times.length - 1], minutes = Math.max(1, Math.round((to - from) / 60e9))
    const enters = events => events.filter(e => e.type === "enter").length
    const n = enters(were), m = enters(would)
    const times = n => n === 0 ? "never" : n === 1 ? "once" : n + " times"
    say($("#compared-sum"), `In the last ${minutes === 1 ? "minute" : minutes + " minutes"} labels were entered ${times(n)}` +
      (this.tried ? `; with these thresholds ${times(m)}.` : "."))
    const labels = new Map()
    for (const [list, which] of [[were, "were"], [would, "would"]]) {
      for (const e of list) {
        if (!labels.has(e.index)) labels.set(e.index, { label: e.label, were: [], would: [] })
        labels.get(e.index)[which].push(e)
      }
    }
    const rows = [...labels.values()].sort((a, b) => Math.max(b.were.length, b.would.length) - Math.max(a.were.length, a.would.length) || (a.label < b.label ? -1 : 1)).slice(0, 12)
    const elements = sized($("#compared tbody"), rows.length, () => make("tr", {}, make("th", { scope: "row" }),
      make("td", { class: "strip" }), make("td"), make("td")))
    rows.forEach((row, i) => {
      const [name, strip, was, be] = elements[i].children
      say(name, row.label)
      if (!strip.firstChild) strip.append(makeSVG("svg", { preserveAspectRatio: "none", viewBox: "0 0 1000 20", "aria-hidden": "true" }))
      const spans = [...this.spans(row.were, from, to).map(s => [...s, "were", 2]), ...this.spans(row.would, from, to).map(s => [...s, "would", 11])]
      const rects = sized(strip.firstChild, spans.length, () => makeSVG("rect", { height: 7, rx: 1 }))
      spans.forEach(([start, end, kind, y], j) => {
        rects[j].setAttribute("class", kind)
        rects[j].setAttribute("x", start)
        rects[j].setAttribute("y", y)
        rects[j].setAttribute("width", Math.max(3, end - start))
      })
      say(was, `${enters(row.were)}×`)
      say(be, `${enters(row.would)}×`)
      elements[i].classList.toggle("other", enters(row.were) !== enters(row.would))
    })
    $("#compared table").hidden = rows.length === 0
  },

  // spans are the times between enter and leave, in thousandths of what is shown.
  spans(events, from, to) {
    const place = t => 1000 * (Math.min(Math.max(t, from), to) - from) / Math.max(1, to - from)
    const spans = []
    let since = from, entered = events.length > 0 && events[0].type === "leave"
    for (const e of events) {
      if (e.type === "enter") since = e.time
      else spans.push([place(since), place(e.time)])
      entered = e.type === "enter"
    }
    if (entered) spans.push([place(since), 1000])
    return spans
  },
}
