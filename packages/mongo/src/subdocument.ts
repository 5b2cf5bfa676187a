/** The text of what a document holds as its session. Empty, which is no session, where it holds nothing that has a text. */
export function textOf(session: unknown): string {
  return typeof session === 'string' ? session : (JSON.stringify(session) ?? '');
}

/** Whether the document holds the session itself, not its text. */
export function isSubdocument(session: unknown): session is object {
  return typeof session === 'object' && session !== null;
}

/** The new text in the form of the subdocument that it replaces. Text that is no JSON (a serializer's) has none but its own. */
export function inFormOf(stored: object, text: string): unknown {
  try {
    return retyped(stored, JSON.parse(text));
  } catch {
    return text;
  }
}

/** What did not change keeps its BSON type, and a date that did change stays a date. */
function retyped(stored: unknown, json: unknown): unknown {
  if (JSON.stringify(stored) === JSON.stringify(json)) return stored;
  if (stored instanceof Date && typeof json === 'string') {
    const date = new Date(json);
    return date.toJSON() === json ? date : json;
  }
  if (Array.isArray(stored) && Array.isArray(json)) {
    return json.map((value, index) => retyped(stored[index], value));
  }
  if (isRecord(stored) && isRecord(json)) {
    return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, retyped(stored[key], value)]));
  }
  return json;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
