"use strict"
// What all parts of the page use. Text from outside only ever becomes text.

const $ = (selector, within = document) => within.querySelector(selector)

// make makes an element: make("p", { class: "soft" }, "text", child).
function make(tag, attributes = {}, ...children) {
  const e = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value)
  e.append(...children)
  return e
}

// makeSVG does it in an SVG.
function makeSVG(tag, attributes = {}) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value)
  return e
}

// say changes a text if it differs: what stays is not painted again, nor read out.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text
}

// sized makes an element have that many children; more(i) makes one.
function sized(parent, count, more) {
  while (parent.children.length > count) parent.lastElementChild.remove()
  while (parent.children.length < count) parent.append(more(parent.children.length))
  return parent.children
}

const clockTime = time => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })
const percent = fraction => 100 * fraction + "%"
const plural = (n, one, more = one + "s") => n === 1 ? `1 ${one}` : `${n} ${more}`

// Buttons with data-copy copy the text of that element.
document.addEventListener("click", async e => {
  const button = e.target.closest("[data-copy]")
  if (!button) return
  const source = document.getElementById(button.dataset.copy)
  let done = true
  try {
    await navigator.clipboard.writeText(source.textContent)
  } catch { // only where the page is served with TLS, or to this machine
    getSelection().selectAllChildren(source)
    done = document.execCommand("copy")
  }
  button.textContent = done ? "Copied" : "Press Ctrl+C"
  clearTimeout(button.timer)
  button.timer = setTimeout(() => { button.textContent = "Copy" }, 2000)
})
