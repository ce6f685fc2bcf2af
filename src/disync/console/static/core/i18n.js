// Texts in English and Chinese, numbers and times in the manner of the language.
import en from '../i18n/en.js';
import zh from '../i18n/zh.js';

const TEXTS = { en, zh };
const KEPT = 'disync-language';

let now = localStorage.getItem(KEPT) || (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
document.documentElement.lang = now === 'zh' ? 'zh-CN' : 'en';

export const language = () => now;

/** The page draws itself anew: every text is asked for when it is drawn. */
export function setLanguage(wanted) {
  localStorage.setItem(KEPT, wanted);
  location.reload();
}

/** The text of a key, with `{name}` replaced by what is given. A key without a text shows itself. */
export function t(key, values = {}) {
  const text = TEXTS[now][key] ?? TEXTS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

const locale = () => (now === 'zh' ? 'zh-CN' : 'en-GB');
const missing = (value) => value === null || value === undefined;

export function number(value, digits = 0) {
  if (missing(value)) return '–';
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
}

export function bytes(value) {
  if (missing(value)) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${number(value, value < 10 && unit ? 1 : 0)} ${units[unit]}`;
}

/** Of milliseconds. */
export function duration(value) {
  if (missing(value)) return '–';
  if (value < 1000) return `${number(value)} ms`;
  const seconds = value / 1000;
  if (seconds < 90) return `${number(seconds, seconds < 10 ? 1 : 0)} s`;
  const minutes = seconds / 60;
  return minutes < 90 ? `${number(minutes)} min` : `${number(minutes / 60, 1)} h`;
}

/** Of milliseconds since 1970. */
export function time(value) {
  if (!value) return '–';
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'short', timeStyle: 'medium' }).format(new Date(value));
}

/** Hours and minutes, of seconds since 1970; `fine`: and seconds. */
export function clock(seconds, fine = false) {
  const parts = { hour: '2-digit', minute: '2-digit', hour12: false, ...(fine && { second: '2-digit' }) };
  return new Intl.DateTimeFormat(locale(), parts).format(new Date(seconds * 1000));
}
