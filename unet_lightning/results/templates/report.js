const zoom = document.getElementById("zoom");
const pictures = [...document.querySelectorAll("article button")];
const STEPS = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 3, ArrowUp: -3 }; // three pictures an image
let number = 0;
function show(next) {
  number = (next + pictures.length) % pictures.length;
  const picture = pictures[number].querySelector("img");
  zoom.querySelector(".stage").replaceChildren(picture.cloneNode());
  zoom.querySelector("p").textContent = picture.alt;
}
pictures.forEach((button, index) => button.addEventListener("click", () => { show(index); zoom.showModal(); }));
zoom.addEventListener("keydown", (event) => {
  if (event.key in STEPS) { event.preventDefault(); show(number + STEPS[event.key]); }
});
zoom.querySelectorAll("[data-step]").forEach((button) =>
  button.addEventListener("click", () => show(number + Number(button.dataset.step))));
zoom.querySelector(".stage").addEventListener("click", () => zoom.close());
zoom.addEventListener("close", () => pictures[number].focus());
