"""Russian for the words of Streamlit's own widgets and for screen readers, said by a script in the browser.

The script is a constant and knows a fixed list of words; no data reaches it.
"""

from __future__ import annotations

from ui.parts import component

# Streamlit has no translations. Whatever it renames falls back to its English word.
RUSSIAN_JS = """
const WORDS = new Map(Object.entries({
  "Upload": "Выбрать файлы",
  "Drag and drop files here": "Отпустите файлы здесь",
  "Close": "Закрыть",
  "Fullscreen": "Во весь экран",
  "Close fullscreen": "Обычный размер",
  "Copy to clipboard": "Копировать",
  "Copied": "Скопировано",
  "No results": "Ничего не найдено",
  "Press Enter to apply": "",
  "Press Enter to submit form": "",
  "Send message": "Отправить вопрос",
  "Connecting": "Подключаемся",
  "Connection error": "Нет связи с сервером",
  "Thumbs up": "Ответ полезен",
  "Thumbs down": "Ответ плох",
  "Feedback rating": "Оценка ответа",
  "Chat message from user": "Вопрос",
  "Chat message from assistant": "Ответ",
  "Choose an option": "Выберите",
  "Open": "Открыть список",
  "file upload": "Выбор файлов",
  "Add files": "Добавить файлы",
  "progress": "Ход работы",
  "Skip to main content": "К содержанию",
}));
const PATTERNS = [
  [/^(\\d+(?:\\.\\d+)?)MB per file$/, "до $1 МБ каждый"],
  [/^(\\d+(?:\\.\\d+)?)GB per file$/, "до $1 ГБ каждый"],
  [/^File must be (\\d+(?:\\.\\d+)?)MB or smaller\\.?$/,
   "Файл больше $1 МБ. Разделите его на части или сожмите и загрузите снова."],
  [/^Help for (.+)$/, "Подсказка: $1"],
  [/^[a-z_]+ icon$/, "значок"],
  [/^Remove (.+)$/, "Убрать $1"],
  [/^Showing page (\\d+) of (\\d+)$/, "Список $1 из $2"],
  [/^File must be (\\d+(?:\\.\\d+)?)GB or smaller\\.?$/,
   "Файл больше $1 ГБ. Разделите его на части или сожмите и загрузите снова."],
  [/^(\\d+(?:\\.\\d+)?)MB$/, "$1 МБ"],
  [/^(\\d+(?:\\.\\d+)?)KB$/, "$1 КБ"],
  [/^(\\d+(?:\\.\\d+)?)B$/, "$1 Б"],
];
const ATTRIBUTES = ["aria-label", "title", "placeholder"];
// Only what Streamlit itself wrote: texts of ours and of documents stand elsewhere.
const OWN = '[data-testid="stSkipToContent"], ' +
  '[data-testid="stFileUploader"], [data-testid="stTooltipContent"], [data-testid="stDialog"] button, ' +
  '[data-testid="stImage"], [data-testid="stElementToolbar"], [data-testid="stFeedback"], ' +
  '[data-testid="stChatInput"], ' +
  '[data-testid="InputInstructions"], [data-testid="stConnectionStatus"], [data-testid="stSelectboxVirtualDropdown"]';

function russian(text) {
  const word = WORDS.get(text.trim());
  if (word !== undefined) return word;
  for (const [pattern, replacement] of PATTERNS) {
    if (pattern.test(text.trim())) return text.trim().replace(pattern, replacement);
  }
  return null;
}
function translate(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (!node.parentElement?.closest(OWN)) return;
    const word = russian(node.nodeValue);
    if (word !== null) node.nodeValue = word;
    return;
  }
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  for (const name of ATTRIBUTES) {
    const word = russian(node.getAttribute(name) ?? "");
    if (word !== null) node.setAttribute(name, word);
  }
  node.childNodes.forEach(translate);
}
export default function () {
  document.documentElement.lang = "ru";
  translate(document.body);
  const watcher = new MutationObserver((changes) => changes.forEach((change) => {
    if (change.type === "childList") change.addedNodes.forEach(translate);
    else translate(change.target);
  }));
  watcher.observe(document.body, { subtree: true, childList: true, characterData: true,
    attributes: true, attributeFilter: ATTRIBUTES });
  return () => watcher.disconnect();
}
"""


def speak_russian() -> None:
    """Say Streamlit's own words in Russian for as long as the page is open."""
    component("russian", "", "", RUSSIAN_JS)(key="russian", height="content")
