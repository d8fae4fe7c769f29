// Times and sizes as people read them.

import { words } from "./words.js";

const clockFormat = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const dateFormat = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

export function formatClock(time) {
  return clockFormat.format(new Date(time));
}

export function formatExact(time) {
  return `${dateFormat.format(new Date(time))}, ${formatClock(time)}`;
}

/** The heading above the messages of a day. */
export function formatDay(time, now = Date.now()) {
  const days = dayNumber(now) - dayNumber(time);
  if (days === 0) return words.today;
  if (days === 1) return words.yesterday;
  return days < 300 ? dayFormat.format(new Date(time)) : dateFormat.format(new Date(time));
}

export function sameDay(a, b) {
  return dayNumber(a) === dayNumber(b);
}

function dayNumber(time) {
  const d = new Date(time);
  return Math.round(new Date(d.getFullYear(), d.getMonth(), d.getDate(), 12).getTime() / 86_400_000);
}

/** "now", "5 min. ago", "yesterday", then the date. */
export function formatAgo(time, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  if (seconds < 45) return relative.format(0, "second");
  if (seconds < 45 * 60) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds < 22 * 3600) return relative.format(-Math.round(seconds / 3600), "hour");
  const days = dayNumber(now) - dayNumber(time);
  return days < 7 ? relative.format(-days, "day") : dateFormat.format(new Date(time));
}

export function formatBytes(n) {
  if (n === 1) return "1 byte";
  const units = ["bytes", "KB", "MB", "GB"];
  let u = 0;
  for (; n >= 1024 && u < units.length - 1; u++) n /= 1024;
  return `${u === 0 || n >= 10 ? Math.round(n) : n.toFixed(1)} ${units[u]}`;
}
