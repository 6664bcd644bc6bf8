"use strict"
// The last events, newest first, with what the camera saw.

const lastEvents = {
  most: 50, // as many as the daemon keeps
  list: $("#events ol"),
  empty: $("#events .empty"),
  reasons: { camera_offline: "camera offline", stopped: "stopped", reconfigured: "config changed", restarted: "restarted" },

  // replace shows these and no others; newest first.
  replace(events) {
    this.list.replaceChildren()
    for (const e of [...events].reverse()) this.add(e)
    this.empty.hidden = this.list.children.length > 0
  },

  // add shows an event where it belongs, once.
  add(event) {
    let before = this.list.firstElementChild
    while (before && Number(before.dataset.seq) > event.seq) before = before.nextElementSibling
    if (before && Number(before.dataset.seq) === event.seq) return
    this.list.insertBefore(this.item(event), before)
    while (this.list.children.length > this.most) this.list.lastElementChild.remove()
    this.empty.hidden = true
  },

  item(event) {
    const item = make("li", { class: event.type, "data-seq": event.seq })
    if (event.picture) {
      const url = `events/${event.seq}/picture.jpg`
      item.append(make("a", { class: "thumb", href: url, target: "_blank", rel: "noopener", "aria-label": `Picture of ${event.label}, ${clockTime(event.time)}` },
        make("img", { src: url, alt: "", loading: "lazy" })))
    } else item.append(make("span", { class: "thumb" }))
    const what = event.type === "enter" ? "entered" : "left"
    const reason = this.reasons[event.reason] ? ` (${this.reasons[event.reason]})` : ""
    item.append(make("div", {},
      make("strong", {}, event.label),
      make("p", {}, make("span", { class: "what" }, what + reason), ` ${event.score.toFixed(2)}`),
      make("p", { class: "soft" }, `${event.camera} / ${event.region}`)),
      make("time", { datetime: event.time, title: new Date(event.time).toLocaleString() }, this.when(event.time)))
    return item
  },

  // when is a time of today, or a day.
  when(time) {
    const d = new Date(time)
    return d.toDateString() === new Date().toDateString() ? clockTime(time) : d.toLocaleDateString([], { month: "short", day: "numeric" }) + ", " + clockTime(time)
  },
}
