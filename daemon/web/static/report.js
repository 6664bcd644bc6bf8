"use strict"

// The report of `tarsier tune`: what Report of report.go holds, and what other thresholds would make of it.
{
  const data = JSON.parse(document.getElementById("data").textContent)
  const $ = id => document.getElementById(id)
  const el = (tag, text, name) => Object.assign(document.createElement(tag), { textContent: text ?? "", className: name ?? "" })
  const second = 1e9, mostRows = 500

  const chosen = data.regions.map(r => r.thresholds) // as they are now, of each region
  let video = 0, region = 0
  const shown = () => data.videos[video].regions[region]
  const plot = new ScorePlot($("plot"), {
    elapsed: true,
    onThresholds: thresholds => { chosen[region] = thresholds; tell() },
    onCursor: time => look(time ?? looking, false),
  })
  $("below").className = "score-plot"
  $("below").append(plot.legend) // the pictures stand between the plot and its table

  $("about").textContent = [data.camera && "camera " + data.camera, data.model, data.fps > 0 ? data.fps + " pictures a second" : "every picture"].filter(Boolean).join(" · ")
  for (const [select, names] of [[$("video"), data.videos.map(v => v.name)], [$("region"), data.regions.map(r => r.name)]]) {
    names.forEach((name, i) => select.append(Object.assign(el("option", name), { value: i })))
    select.parentElement.hidden = names.length < 2
    select.addEventListener("change", () => {
      video = +$("video").value
      region = +$("region").value
      looking = undefined
      show()
    })
  }

  // What each slider shows, and what it means.
  const sliders = {
    enter: { key: "enter", unit: 1, write: x => x.toFixed(2) },
    leave: { key: "leave", unit: 1, write: x => x.toFixed(2) },
    hold: { key: "hold_ns", unit: second, write: x => x.toFixed(1) + " s" },
    smoothing: { key: "smoothing_ns", unit: second, write: x => x.toFixed(1) + " s" },
  }
  for (const [name, { key, unit }] of Object.entries(sliders)) {
    $(name).addEventListener("input", () => {
      const t = { ...chosen[region], [key]: unit === 1 ? +$(name).value : Math.round(+$(name).value * 10) * second / 10 }
      if (name === "enter") t.leave = Math.min(t.leave, t.enter)
      if (name === "leave") t.enter = Math.max(t.leave, t.enter)
      change(t)
    })
  }
  $("reset").addEventListener("click", () => change(data.regions[region].thresholds))
  $("suggest").addEventListener("click", () => change(data.regions[region].suggested))
  $("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText($("yaml").textContent)
      $("copied").textContent = "copied"
    } catch { // a browser may not let a file do that
      getSelection().selectAllChildren($("yaml"))
      $("copied").textContent = document.execCommand("copy") ? "copied" : "selected: copy it with Ctrl+C"
    }
  })

  function change(thresholds) {
    chosen[region] = thresholds
    show()
  }

  function show() {
    const { recording, truth } = shown()
    const marks = truth.flatMap(i => [{ time: i.start, type: "enter", index: i.index }, { time: i.end, type: "leave", index: i.index }])
    plot.set(recording, chosen[region], marks)
    film()
    tell()
  }

  // tell says what the plot's simulation means.
  function tell() {
    const thresholds = chosen[region], { recording, truth } = shown(), { judged, suggested } = data.regions[region]
    for (const [name, { key, unit, write }] of Object.entries(sliders)) {
      const slider = $(name), value = thresholds[key] / unit
      if (name === "enter") slider.min = ScorePlot.lowestEnter(recording)
      if (unit !== 1) slider.max = Math.max(10, slider.max, value)
      slider.value = value
      slider.previousElementSibling.textContent = write(value)
      slider.setAttribute("aria-valuetext", write(value))
    }
    $("yaml").textContent = thresholdsYAML(thresholds, recording.labels)
    $("copied").textContent = ""
    $("suggest").hidden = !suggested

    const verdict = judge(plot.simulation.events, truth, judged)
    const spans = pairs(plot.simulation.events)
    $("count").textContent = spans.length === 0 ? "These thresholds give no event." : `${spans.length} with these thresholds.` +
      (spans.length > mostRows ? ` The first ${mostRows} are below.` : "")
    $("events").tHead.rows[0].cells[5].hidden = judged.length === 0
    $("events").hidden = spans.length === 0
    $("events").tBodies[0].replaceChildren(...spans.slice(0, mostRows).map(({ enter, leave }) => {
      const row = el("tr"), name = el("th", enter.label), start = el("button", ScorePlot.clock(enter.time / second), "link")
      name.scope = "row"
      start.type = "button"
      start.title = "Show the picture"
      start.addEventListener("click", () => look(enter.time, true))
      const entered = el("td")
      entered.append(start)
      const right = !judged.includes(enter.index) ? el("td", "not judged", "soft") : verdict.wrong.has(enter) ? el("td", "✗ wrong", "bad") : el("td", "✓ right", "right")
      row.append(name, entered, el("td", leave ? ScorePlot.clock(leave.time / second) : "–"), el("td", leave ? ((leave.time - enter.time) / second).toFixed(1) + " s" : "–"), el("td", enter.score.toFixed(2)))
      if (judged.length > 0) row.append(right)
      return row
    }))
    if (judged.length > 0) sum(judged)
    else $("verdict").replaceChildren()
    if (looking === undefined && data.videos[video].thumbs.length > 0) look(spans[0]?.enter.time ?? 0, true)
  }

  // sum shows precision and recall over all recordings.
  function sum(judged) {
    const total = { events: 0, right: 0, intervals: 0, found: 0 }
    data.videos.forEach((v, i) => {
      const { recording, truth } = v.regions[region]
      const only = { ...recording, labels: recording.labels.filter(l => judged.includes(l.index)) }
      const events = i === video ? plot.simulation.events : simulate(only, chosen[region]).events
      const verdict = judge(events, truth, judged)
      for (const key of Object.keys(total)) total[key] += verdict[key]
    })
    const line = (name, n, of, what) => {
      const dd = el("dd")
      dd.append(el("b", of > 0 ? (n / of).toFixed(2) : "–"), el("span", ` ${n} of ${of} ${what}`, "soft"))
      return [el("dt", name), dd]
    }
    $("verdict").replaceChildren(...line("Precision", total.right, total.events, "events right"), ...line("Recall", total.found, total.intervals, "found"))
  }

  function pairs(events) {
    const open = new Map(), spans = []
    for (const e of events) {
      if (e.type === "enter") {
        open.set(e.index, { enter: e, leave: null })
        spans.push(open.get(e.index))
      } else open.get(e.index).leave = e
    }
    return spans
  }

  // film shows as many pictures as there is room for, each below its time.
  let filmed = ""
  function film() {
    const { thumbs, regions } = data.videos[video], times = regions[region].recording.times
    const n = Math.max(2, Math.min(12, Math.floor($("film").clientWidth / 72)))
    const key = video + " " + n
    if (key === filmed || thumbs.length === 0) return
    filmed = key
    const from = times[0], to = times[times.length - 1]
    $("film").replaceChildren(...Array.from({ length: n }, (_, i) => {
      const thumb = nearest(from + (to - from) * (i + 0.5) / n), li = el("li"), img = el("img")
      img.src = "data:image/jpeg;base64," + thumb.jpeg
      img.alt = "At " + ScorePlot.clock(thumb.time / second)
      li.append(img)
      return li
    }))
  }
  new ResizeObserver(film).observe($("film"))

  const nearest = time => data.videos[video].thumbs.reduce((a, b) => Math.abs(b.time - time) < Math.abs(a.time - time) ? b : a)

  // look shows the picture nearest to a time; keep: it stays when the pointer is gone.
  let looking
  function look(time, keep) {
    if (time === undefined || data.videos[video].thumbs.length === 0) return
    if (keep) looking = time
    const thumb = nearest(time), figure = $("picture"), [img, caption] = figure.querySelectorAll("img, figcaption"), outline = figure.querySelector("i")
    const src = "data:image/jpeg;base64," + thumb.jpeg
    if (img.src !== src) img.src = src
    img.alt = caption.textContent = "The picture at " + ScorePlot.clock(thumb.time / second)
    const box = data.regions[region].box, whole = box.every((x, i) => x === (i < 2 ? 0 : 1))
    outline.hidden = whole
    ;["left", "top", "width", "height"].forEach((side, i) => { outline.style[side] = 100 * box[i] + "%" })
    figure.hidden = false
  }

  show()
}
