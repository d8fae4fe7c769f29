// What is wrong with what can be seen now: text with too little contrast
// (WCAG 2.2 AA, 4.5 : 1), controls too small to hit (44 × 44 CSS pixels, links
// inside a sentence excepted) or without a name, and what sticks out sideways.

(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const luminance = (c) => {
    const [r, g, b] = c
      .slice(0, 3)
      .map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (el) => {
    if (!el) return [255, 255, 255, 1];
    const own = rgba(getComputedStyle(el).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(el.parentElement));
  };
  const contrast = (el) => {
    const back = ground(el);
    const [a, b] = [over(rgba(getComputedStyle(el).color), back), back].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const seen = (el) =>
    el.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
    !el.closest(".hidden, [inert]") &&
    el.getBoundingClientRect().width > 1;
  const where = (el) =>
    `${el.tagName.toLowerCase()}.${el.className.baseVal ?? el.className} “${el.textContent.trim().slice(0, 40)}”`;
  const faults = [];

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    const el = node.parentElement;
    if (!node.data.trim() || !seen(el) || el.closest(":disabled, noscript")) continue;
    const ratio = contrast(el);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${where(el)}`);
  }
  for (const el of document.querySelectorAll("button, a[href], textarea, label:has(input)")) {
    if (!seen(el)) continue;
    const { width, height } = el.getBoundingClientRect();
    const inSentence = el.matches(".prose a");
    if (!inSentence && (width < 43.5 || height < 43.5))
      faults.push(`${width.toFixed()} × ${height.toFixed()}: ${where(el)}`);
    const name = el.ariaLabel || el.textContent.trim() || el.querySelector("img")?.alt;
    if (!name) faults.push(`no name: ${where(el)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth)
    faults.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${innerWidth}`);
  for (const el of document.querySelectorAll(".scroll, .list")) {
    if (el.scrollWidth > el.clientWidth) faults.push(`${where(el)} scrolls sideways`);
  }
  return [...new Set(faults)];
})();
