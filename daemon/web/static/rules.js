"use strict"
// The daemon's rules: what pipeline/region.go does to scores, for the thresholds that one would like to try. rules_test.go
// runs both on the same cases; a change of one is a change of the other.

// simulate gives the events that a recording would have made with these thresholds, and the smoothed scores: a Float64Array
// for each entry of recording.labels. Times are nanoseconds since the start of the recording. They are exact up to 104 days.
function simulate(recording, thresholds) {
  const events = [], frames = recording.times.length
  const only = new Set(thresholds.only), own = new Map(thresholds.labels.map(l => [l.index, l]))
  const classes = recording.labels.map(l => {
    const t = own.get(l.index) || thresholds
    return {
      label: l.label, index: l.index, scores: l.scores, averages: new Float64Array(frames), average: 0,
      // Thresholds are float32, as scores are: a score of 0.7 must not be below a threshold of 0.7.
      enter: Math.fround(t.enter), leave: Math.fround(t.leave), ignored: only.size > 0 && !only.has(l.index),
      entered: false, crossed: false, crossedAt: 0,
    }
  })
  const ordered = [...classes].sort((a, b) => a.index - b.index)
  const change = (to, time, type, reason, c) => to.push({ time, type, reason, index: c.index, label: c.label, score: Math.round(c.average * 1e4) / 1e4 })
  // As time.Duration.Seconds divides: no other quotient has the same bits.
  const seconds = ns => Math.trunc(ns / 1e9) + (ns % 1e9) / 1e9
  let started = false, last = 0, clock = 0, end = 0

  const endsBefore = frame => {
    for (; end < recording.ends.length && recording.ends[end].frame <= frame; end++) {
      for (const c of ordered) {
        if (c.entered) change(events, recording.ends[end].time, "leave", recording.ends[end].reason, c)
        c.entered = c.crossed = false
      }
      started = false
    }
  }
  for (let i = 0; i < frames; i++) {
    endsBefore(i)
    const now = recording.times[i], entered = []
    let alpha = 1
    if (started) {
      const step = Math.max(0, now - last)
      clock += step
      if (thresholds.smoothing_ns > 0) alpha = -Math.expm1(-seconds(step) / seconds(thresholds.smoothing_ns))
    }
    started = true
    last = now
    for (const c of ordered) {
      const score = Math.fround(c.scores[i]), x = score > 0 ? Math.min(score, 1) : 0
      if (alpha === 1) c.average = x
      else c.average += alpha * (x - c.average)
      c.averages[i] = c.average
      const crossed = c.entered ? c.average < c.leave : !c.ignored && c.average >= c.enter
      if (crossed && !c.crossed) c.crossedAt = clock
      c.crossed = crossed
      if (!crossed || clock - c.crossedAt < thresholds.hold_ns) continue
      c.crossed = false
      c.entered = !c.entered
      // What is left comes before what is entered, each by class.
      if (c.entered) change(entered, now, "enter", "", c)
      else change(events, now, "leave", "score", c)
    }
    events.push(...entered)
  }
  endsBefore(frames)
  return { events, averages: classes.map(c => c.averages) }
}

// judge compares events with what a person says there was to see: intervals of labels. Of the labels in judged, an event is right
// if it overlaps an interval of its label, and an interval is found if an event overlaps it. The two share a moment at least.
function judge(events, intervals, judged) {
  const open = new Map(), spans = []
  for (const e of events) {
    if (!judged.includes(e.index)) continue
    if (e.type === "enter") {
      open.set(e.index, { index: e.index, start: e.time, end: Infinity, enter: e })
      spans.push(open.get(e.index))
    } else if (open.has(e.index)) {
      open.get(e.index).end = e.time
      open.delete(e.index)
    }
  }
  const overlap = (a, b) => a.index === b.index && a.start <= b.end && b.start <= a.end
  const right = spans.filter(s => intervals.some(i => overlap(s, i)))
  return {
    events: spans.length, right: right.length,
    intervals: intervals.length, found: intervals.filter(i => spans.some(s => overlap(s, i))).length,
    wrong: new Set(spans.filter(s => !right.includes(s)).map(s => s.enter)), // their enters
  }
}

// thresholdsYAML gives the lines for the config file, to go below a camera or a region. Labels are objects with label and
// index, among them all that the thresholds name.
function thresholdsYAML(thresholds, labels) {
  // JSON's strings are YAML's, if the characters that YAML takes for no text are escaped.
  const quoted = text => /^[A-Za-z]([\w -]*\w)?$/.test(text) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(text) ? text
    : JSON.stringify(text).replace(/[\x7f-\x9f\u2028\u2029\ufeff]/g, c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"))
  const duration = ns => ns % 1e6 !== 0 ? ns + "ns" : ns === 0 || ns >= 1e9 ? ns / 1e9 + "s" : ns / 1e6 + "ms"
  const names = new Map(labels.map(l => [l.index, l.label]))
  const name = index => {
    if (!names.has(index)) throw new Error("no label for class " + index)
    return quoted(names.get(index))
  }
  const keys = [`enter: ${thresholds.enter}`, `leave: ${thresholds.leave}`, `hold: ${duration(thresholds.hold_ns)}`, `smoothing: ${duration(thresholds.smoothing_ns)}`]
  if (thresholds.only.length > 0) keys.push(`only: [${thresholds.only.map(name).join(", ")}]`)
  if (thresholds.labels.length > 0) {
    keys.push(`labels: [${thresholds.labels.map(l => `{label: ${name(l.index)}, enter: ${l.enter}, leave: ${l.leave}}`).join(", ")}]`)
  }
  return `thresholds: {${keys.join(", ")}}`
}
