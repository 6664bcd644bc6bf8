"use strict"
// Drawing a region on a camera's picture. Boxes are x, y, width and height in thousandths of the picture.

const drawing = {
  least: 20, // of a box's width and height
  dialog: $("#draw"),
  stage: $("#draw .stage"),
  box: $("#draw .box"),
  form: $("#draw form"),
  live: null,
  camera: null,
  at: [0, 0, 0, 0],
  grip: null, // while the pointer is down: where it went down, and on what

  start() {
    $(".close", this.dialog).addEventListener("click", () => this.dialog.close())
    this.dialog.addEventListener("close", () => {
      this.live.close()
      this.live = null
    })
    this.form.addEventListener("submit", e => e.preventDefault())
    this.form.addEventListener("input", e => {
      const i = ["x", "y", "w", "h"].indexOf(e.target.name)
      if (i >= 0 && e.target.value !== "") {
        const to = [...this.at]
        to[i] = Math.round(1000 * Number(e.target.value))
        this.place(to, e.target)
      } else this.show(e.target)
    })
    this.box.addEventListener("keydown", e => this.key(e))
    this.stage.addEventListener("pointerdown", e => this.down(e))
    this.stage.addEventListener("pointermove", e => this.move(e))
    for (const end of ["pointerup", "pointercancel"]) this.stage.addEventListener(end, () => { this.grip = null })
    // The four corners, as the elements stand in the box.
    ;[...this.box.children].forEach((corner, i) => { corner.dataset.corner = i })
  },

  open(camera) {
    this.camera = camera
    say($("#draw-title"), `A region of ${camera.name}`)
    const img = $("img", this.stage)
    img.alt = `What ${camera.name} sees`
    this.live = new LivePicture(img)
    this.live.of(camera.name)
    const others = sized($("svg", this.stage), camera.regions.length, () => makeSVG("rect"))
    camera.regions.forEach((r, i) => ["x", "y", "width", "height"].forEach((name, j) => others[i].setAttribute(name, r.box[j])))
    const names = new Set(camera.regions.map(r => r.name))
    let name = "door"
    for (let n = 2; names.has(name); n++) name = "door-" + n
    this.form.elements.name.value = name
    this.dialog.showModal()
    this.place([250, 250, 500, 500])
    this.box.focus()
  },

  // place puts the box there, or as near as it can be. What is being typed stays as it is.
  place([x, y, w, h], typed) {
    w = Math.min(Math.max(w, this.least), 1000)
    h = Math.min(Math.max(h, this.least), 1000)
    this.at = [Math.min(Math.max(x, 0), 1000 - w), Math.min(Math.max(y, 0), 1000 - h), w, h]
    this.show(typed)
  },

  show(typed) {
    const fractions = this.at.map(n => n / 1000)
    ;["left", "top", "width", "height"].forEach((side, i) => { this.box.style[side] = percent(fractions[i]) })
    ;["x", "y", "w", "h"].forEach((name, i) => {
      const input = this.form.elements[name]
      if (input !== typed) input.value = fractions[i]
    })
    this.box.setAttribute("aria-label", "The region: x {}, y {}, width {}, height {}".replace(/\{\}/g, () => fractions.shift()))
    const name = this.form.elements.name.value
    const wrong = !/^[A-Za-z0-9_-]{1,64}$/.test(name) ? "A name has letters, digits, _ and -." :
      this.camera.regions.some(r => r.name === name) ? `${this.camera.name} has a region of that name.` : ""
    say($("#draw-wrong"), wrong)
    this.form.elements.name.setAttribute("aria-invalid", wrong !== "")
    // Some names would be read as something else than text.
    const text = /^[A-Za-z_][\w-]*$/.test(name) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(name) ? name : JSON.stringify(name)
    say($("#draw-yaml"), `- name: ${text}\n  box: [${this.at.map(n => n / 1000).join(", ")}]`)
    say($("#draw-where"), `Paste it below regions: of camera ${this.camera.name}` +
      (this.camera.regions.every(r => wholeFrame(r.box)) ? ", where a first one takes the place of the whole frame." : "."))
  },

  key(e) {
    const step = e.ctrlKey || e.altKey ? 2 : 10
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[e.key] || [0, 0]
    if (dx === 0 && dy === 0) return
    e.preventDefault()
    const [x, y, w, h] = this.at
    this.place(e.shiftKey ? [x, y, Math.min(w + dx, 1000 - x), Math.min(h + dy, 1000 - y)] : [x + dx, y + dy, w, h])
  },

  // point is where the pointer is.
  point(e) {
    const r = this.stage.getBoundingClientRect()
    const inside = n => Math.round(1000 * Math.min(Math.max(n, 0), 1))
    return [inside((e.clientX - r.left) / r.width), inside((e.clientY - r.top) / r.height)]
  },

  down(e) {
    if (e.button !== 0) return
    e.preventDefault()
    this.stage.setPointerCapture(e.pointerId)
    this.box.focus()
    const [x, y, w, h] = this.at, corner = e.target.dataset.corner
    if (corner !== undefined) this.grip = { anchor: [corner % 2 ? x : x + w, corner >= 2 ? y : y + h] }
    else if (e.target === this.box) this.grip = { from: this.point(e), at: this.at }
    else this.grip = { anchor: this.point(e) }
  },

  move(e) {
    if (!this.grip) return
    const [px, py] = this.point(e), { anchor, from, at } = this.grip
    if (anchor) this.place([Math.min(px, anchor[0]), Math.min(py, anchor[1]), Math.abs(px - anchor[0]), Math.abs(py - anchor[1])])
    else this.place([at[0] + px - from[0], at[1] + py - from[1], at[2], at[3]])
  },
}
