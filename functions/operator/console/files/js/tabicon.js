// The icon of the tab, with the number of those who wait.

/** In pixels: twice what a tab shows, for screens with small ones. */
const SIZE = 32;

const plain = () => document.querySelector('link[rel="icon"]:not([data-count])');
const counted = () => document.querySelector('link[rel="icon"][data-count]');

/** What stands in the icon for a count like "3" or "30+": two characters can be read at 16 pixels, three cannot. The title has all. */
export function iconWords(count) {
  return count.slice(0, 2);
}

let wanted = ""; // the words of the newest call

/** Puts a count into the icon; "" is the plain icon. */
export async function setIcon(count) {
  const words = iconWords(count);
  if (words === wanted) return;
  wanted = words;
  const drawn = words && (await new Promise((resolve) => draw(words).toBlob(resolve)));
  if (words !== wanted) return; // a later count was faster
  const old = counted();
  if (drawn) plain().after(linkTo(drawn, words)); // of several icons the last counts
  if (!old) return;
  URL.revokeObjectURL(old.href);
  old.remove();
}

function linkTo(drawn, words) {
  const link = document.createElement("link");
  Object.assign(link, { rel: "icon", type: "image/png", href: URL.createObjectURL(drawn) });
  link.dataset.count = words;
  return link;
}

// The number fills the icon, on a ground that stands out from light and dark bars.
function draw(words) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const c = canvas.getContext("2d");
  c.fillStyle = "#c2410c";
  c.beginPath();
  c.roundRect(0, 0, SIZE, SIZE, 9);
  c.fill();
  c.fillStyle = "#fff";
  c.font = `700 ${words.length > 1 ? 23 : 27}px "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif`;
  c.textAlign = "center";
  const { actualBoundingBoxAscent: up, actualBoundingBoxDescent: down } = c.measureText(words);
  c.fillText(words, SIZE / 2, (SIZE + up - down) / 2, SIZE - 2);
  return canvas;
}
