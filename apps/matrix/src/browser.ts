import type { Group, Level, Status } from '@session-stores/conformance';
import type { Asked } from './matrix.js';
import type { Cell, Column, PageData } from './page-data.js';

// What the page does in a browser. It makes elements and fills them with text, so that nothing that a store has said is HTML.

const data: PageData = JSON.parse(document.getElementById('data')?.textContent ?? '');
const { packages, repeats, requirements, columns, notJudged, signs, meanings } = data;

const levels = ['MUST', 'SHOULD', 'MAY'] as const satisfies readonly Level[];
const groups = [...new Set(requirements.map(({ group }) => group))];

type Child = Node | string | false | undefined;

/** An element with attributes and children. */
function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.filter((child) => child !== false && child !== undefined));
  return element;
}

/** Text whose code is between backticks. */
const prose = (text: string): Child[] =>
  text.split(/(`[^`]+`)/).map((part) => (/^`.+`$/.test(part) ? make('code', {}, part.slice(1, -1)) : part));

const words: Record<Status, string> = {
  pass: 'met',
  fail: 'not met',
  warn: 'not met, and not required',
  unsupported: 'not judged',
  inconclusive: 'could not be found out',
  error: 'could not be found out: the suite or its harness broke',
};

const legend: readonly (readonly [Status, string])[] = [
  ['pass', 'met'],
  ['fail', 'a MUST that is not met'],
  ['warn', 'a SHOULD or MAY that is not met'],
  ['unsupported', 'not judged: the store lacks an optional method, or nothing lets us look'],
  ['inconclusive', 'could not be found out'],
];

const sign = (status: Status) =>
  make('span', { class: `sign ${status}`, 'aria-hidden': 'true' }, signs[status]);

const isTwice = (title: string) => columns.filter((each) => each.title === title).length > 1;

/** A store's name, with what it works on where another one has the same name. */
const labelOf = ({ title, basis }: Column) => (isTwice(title) ? `${title}, ${basis}` : title);

/** Of one kind of filter, what is shown. */
class Choice {
  readonly #boxes: readonly HTMLInputElement[];
  readonly element: HTMLElement;

  constructor(title: string, options: readonly { readonly value: string; readonly label: string }[]) {
    const labelled = options.map(({ value, label }) => {
      const box = make('input', { type: 'checkbox', value });
      box.checked = true;
      return { box, label: make('label', {}, box, label) };
    });
    this.#boxes = labelled.map(({ box }) => box);
    const all = make('button', { type: 'button' }, 'all');
    all.addEventListener('click', () => this.choose(() => true));
    const none = make('button', { type: 'button' }, 'none');
    none.addEventListener('click', () => this.choose(() => false));
    this.element = make(
      'fieldset',
      {},
      make('legend', {}, title),
      make(
        'div',
        { class: 'options' },
        ...labelled.map(({ label }) => label),
        ...(options.length > 3 ? [make('span', { class: 'quick' }, all, none)] : []),
      ),
    );
  }

  has(value: string): boolean {
    return this.#boxes.some((box) => box.checked && box.value === value);
  }

  choose(wanted: (value: string) => boolean): void {
    for (const box of this.#boxes) box.checked = wanted(box.value);
    draw();
  }
}

const byLevel = new Choice(
  'Level',
  levels.map((level) => ({ value: level, label: level })),
);
const byGroup = new Choice(
  'Group',
  groups.map((group) => ({ value: group, label: group })),
);
const byStore = new Choice(
  'Store',
  columns.map((column) => ({ value: column.name, label: labelOf(column) })),
);
const onlyOpen = make('input', { type: 'checkbox', id: 'only-open' });
const ours = make('button', { type: 'button' }, 'ours');
const published = make('button', { type: 'button' }, 'published');
const namesOf = (some: boolean) =>
  new Set(columns.flatMap((column) => (column.ours === some ? [column.name] : [])));
ours.addEventListener('click', () => byStore.choose((name) => namesOf(true).has(name)));
published.addEventListener('click', () => byStore.choose((name) => namesOf(false).has(name)));
byStore.element.querySelector('.quick')?.append(ours, published);

const shown = make('p', { role: 'status', class: 'shown' });
const grid = make('div', { class: 'grid', role: 'region', 'aria-label': 'Requirements by stores' });

/** What a narrow window has no room for above the grid's columns. */
const totals = make('table', { class: 'totals' });

const isUnmet = (cell: Cell | undefined) => cell?.status === 'fail' || cell?.status === 'warn';

/** Draws the grid anew, as the filters have it. */
function draw(): void {
  const across = columns.filter(({ name }) => byStore.has(name));
  const down = requirements.filter(
    ({ id, level, group }) =>
      byLevel.has(level) &&
      byGroup.has(group) &&
      (!onlyOpen.checked || across.some(({ cells }) => isUnmet(cells[id]))),
  );
  shown.textContent = `${down.length} of ${requirements.length} requirements, ${across.length} of ${columns.length} stores`;
  const tallies = levels.flatMap((level): readonly Tally[] => {
    const ids = down.flatMap((each) => (each.level === level ? [each.id] : []));
    return ids.length > 0 ? [{ level, ids }] : [];
  });
  drawTotals(across, tallies);
  grid.replaceChildren(
    make(
      'table',
      {},
      head(across),
      sums(across, tallies),
      ...groups.flatMap((group) => {
        const rows = down.filter((each) => each.group === group);
        return rows.length === 0 ? [] : [body(group, rows, across)];
      }),
    ),
  );
  // One of the cells is reached by Tab, the others from there by arrows.
  grid.querySelector('td button')?.setAttribute('tabindex', '0');
}

function head(across: readonly Column[]): HTMLElement {
  const owners = [
    ['this repository', across.filter((column) => column.ours).length],
    ['published', across.filter((column) => !column.ours).length],
  ] as const;
  return make(
    'thead',
    {},
    make(
      'tr',
      {},
      make('th', { class: 'side', rowspan: 2, scope: 'col' }, 'Requirement'),
      ...owners.map(
        ([owner, count]) =>
          count > 0 && make('th', { colspan: count, scope: 'colgroup', class: 'owner' }, owner),
      ),
    ),
    make(
      'tr',
      {},
      ...across.map(({ title, basis }) => {
        const small = make('small', isTwice(title) ? { class: 'needed' } : {}, basis);
        return make(
          'th',
          { scope: 'col', class: 'store', title: basis },
          make('span', {}, title, basis && small),
        );
      }),
    ),
  );
}

/** What is shown of a level. */
interface Tally {
  readonly level: Level;
  readonly ids: readonly string[];
}

/** How much of it a store does not meet. */
function sum({ cells }: Column, { level, ids }: Tally): HTMLElement {
  const count = ids.filter((id) => isUnmet(cells[id])).length;
  const status = level === 'MUST' ? 'fail' : 'warn';
  return make('td', { class: count > 0 ? status : 'none' }, String(count));
}

function sums(across: readonly Column[], tallies: readonly Tally[]): HTMLElement {
  const rows = tallies.map((tally) =>
    make(
      'tr',
      { class: 'sum' },
      make('th', { class: 'side', scope: 'row' }, `${tally.level} not met, of ${tally.ids.length}`),
      ...across.map((column) => sum(column, tally)),
    ),
  );
  return make('tbody', {}, ...rows);
}

function drawTotals(across: readonly Column[], tallies: readonly Tally[]): void {
  const counted = tallies.filter(({ level }) => level !== 'MAY');
  totals.replaceChildren(
    make(
      'thead',
      {},
      make(
        'tr',
        {},
        make('th', { scope: 'col' }, 'Not met'),
        ...counted.map(({ level, ids }) => make('th', { scope: 'col' }, `${level}, of ${ids.length}`)),
      ),
    ),
    make(
      'tbody',
      {},
      ...across.map((column) =>
        make(
          'tr',
          {},
          make('th', { scope: 'row' }, make('a', { href: `#${column.name}` }, labelOf(column))),
          ...counted.map((tally) => sum(column, tally)),
        ),
      ),
    ),
  );
}

function body(group: Group, rows: readonly Asked[], across: readonly Column[]): HTMLElement {
  return make(
    'tbody',
    {},
    make(
      'tr',
      { class: 'group' },
      make(
        'th',
        { colspan: across.length + 1, scope: 'rowgroup' },
        make('span', {}, make('strong', {}, group), ` ${meanings[group]}`),
      ),
    ),
    ...rows.map(({ id, level, title }) =>
      make(
        'tr',
        {},
        make(
          'th',
          { class: 'side', scope: 'row' },
          make('span', { class: 'id' }, id, make('span', { class: `level ${level}` }, level)),
          make('span', { class: 'title' }, ...prose(title)),
        ),
        ...across.map((column) => make('td', {}, button(column, id))),
      ),
    ),
  );
}

function button(column: Column, id: string): Child {
  const status = column.cells[id]?.status;
  if (status === undefined) return undefined;
  return make(
    'button',
    {
      type: 'button',
      class: status,
      'data-cell': `${column.name}/${id}`,
      'aria-label': `${words[status]}, ${labelOf(column)}, ${id}`,
      tabindex: -1,
    },
    signs[status],
  );
}

const dialog = make('dialog', { 'aria-labelledby': 'dialog-title' });

const section = (title: string, ...children: readonly Child[]) =>
  make('section', {}, make('h3', {}, title), ...children);

/**
 * Opens the cell that the address names, as in `#connect-redis-10/RACE-001`; goes to the store that it names without one;
 * closes what is open when it names no cell.
 */
function follow(): void {
  const [store, id] = location.hash.slice(1).split('/');
  const column = columns.find(({ name }) => name === store);
  const asked = requirements.find((each) => each.id === id);
  const cell = column?.cells[asked?.id ?? ''];
  if (column && asked && cell) open(column, asked, cell);
  else {
    dialog.close();
    if (column && id === undefined) goToStore(column.name);
  }
}

function goToStore(name: string): void {
  const first = grid.querySelector<HTMLButtonElement>(`[data-cell^="${name}/"]`);
  if (first === null) return;
  grid.scrollIntoView();
  grid.scrollTop = 0;
  reach(first);
}

/** Focuses a cell where nothing that sticks covers it. From now on it is the one that Tab reaches. */
function reach(cell: HTMLButtonElement): void {
  const [above, beside] = [grid.querySelector('thead'), grid.querySelector<HTMLElement>('.side')];
  grid.style.scrollPadding = `${above?.offsetHeight ?? 0}px 0 0 ${beside?.offsetWidth ?? 0}px`;
  grid.querySelector('td button[tabindex="0"]')?.setAttribute('tabindex', '-1');
  cell.setAttribute('tabindex', '0');
  cell.focus();
}

/** The cell that was opened last, by its `data-cell`. */
let opened = '';

function open(column: Column, { id, level, title, why, source }: Asked, cell: Cell): void {
  opened = `${column.name}/${id}`;
  const { status, evidence, ms, cause } = cell;
  const close = make('button', { type: 'button', class: 'close', 'aria-label': 'Close' }, '×');
  close.addEventListener('click', () => dialog.close());
  dialog.replaceChildren(
    make(
      'article',
      {},
      make(
        'header',
        {},
        make('p', { class: 'id' }, id, make('span', { class: `level ${level}` }, level)),
        close,
        make('h2', { id: 'dialog-title' }, ...prose(title)),
      ),
      make(
        'p',
        { class: `verdict ${status}` },
        sign(status),
        make('strong', {}, column.title),
        `${column.basis && ` on ${column.basis}`}: ${words[status]}`,
      ),
      evidence &&
        section(status === 'unsupported' ? 'Not judged, for' : 'What was seen', make('pre', {}, evidence)),
      cause &&
        section('In its source', make('p', {}, make('code', {}, cause.where), ' ', ...prose(cause.because))),
      status === 'fail' &&
        !column.ours &&
        !cause &&
        section('In its source', make('p', {}, 'Not confirmed yet by reading its source.')),
      status === 'warn' &&
        make(
          'p',
          { class: 'note' },
          'express-session does not promise this. A store that does not do it is not broken, but somebody may lose something.',
        ),
      section('Why it matters', make('p', {}, ...prose(why))),
      section(
        'What express-session says',
        make('blockquote', {}, ...prose(source.quote)),
        make('p', {}, make('a', { href: source.url, rel: 'noreferrer' }, source.url)),
      ),
      section('See for yourself', make('pre', {}, column.command + id)),
      make(
        'footer',
        {},
        `${column.date}, ${column.suite}, Node ${column.node}; it took ${ms.toLocaleString('en')} ms.`,
      ),
    ),
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

dialog.addEventListener('close', () => {
  history.replaceState(null, '', location.href.replace(/#.*/, ''));
  const cell = grid.querySelector<HTMLButtonElement>(`[data-cell="${opened}"]`);
  if (cell) reach(cell);
});
// A click beside it closes it.
dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());

grid.addEventListener('click', ({ target }) => {
  if (!(target instanceof HTMLElement) || target.dataset['cell'] === undefined) return;
  location.hash = target.dataset['cell'];
});

const steps: Readonly<Record<string, readonly [across: number, down: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

grid.addEventListener('keydown', (event) => {
  const { target, key } = event;
  const step = steps[key];
  if (step === undefined || !(target instanceof HTMLButtonElement)) return;
  event.preventDefault();
  const [across, down] = step;
  const rows = [...grid.querySelectorAll('tr')].filter((row) => row.querySelector('td button'));
  const [row, cell] = [target.closest('tr'), target.closest('td')];
  if (row === null || cell === null) return;
  const next = rows[rows.indexOf(row) + down]?.cells[cell.cellIndex + across]?.querySelector('button');
  if (next) reach(next);
});

// The address does not change when it is followed again.
totals.addEventListener('click', ({ target }) => {
  if (target instanceof HTMLAnchorElement && target.hash === location.hash) follow();
});

const dates = columns.map(({ date }) => date).sort();
const made = [...new Set([dates[0], dates.at(-1)])].join(' to ');
const by = [...new Set(columns.map(({ suite, node }) => `${suite} on Node ${node}`))].join('; ');

const filters = make(
  'form',
  { class: 'filters' },
  byLevel.element,
  make('label', {}, onlyOpen, 'Only where somebody does not meet it'),
  make('details', {}, make('summary', {}, 'Groups and stores'), byGroup.element, byStore.element),
);
filters.addEventListener('change', draw);

document.body.append(
  make(
    'header',
    { class: 'top' },
    make('h1', {}, 'The session store matrix'),
    make(
      'p',
      {},
      `${packages}, judged by the same ${requirements.length} requirements, each on its real server. `,
      repeats && `Some are in more than one of the ${columns.length} columns: ${repeats}. `,
      'A MUST is what express-session requires or relies on. A SHOULD or MAY it never promised, the races between requests least of all: a store that does not do it is not broken, but somebody may lose a session or data.',
    ),
    make('p', { class: 'made' }, `${made}, ${by}. Open a cell for what was seen there.`),
    make(
      'ul',
      { class: 'legend' },
      ...legend.map(([status, meaning]) => make('li', {}, sign(status), meaning)),
    ),
  ),
  make(
    'main',
    {},
    filters,
    shown,
    totals,
    grid,
    notJudged.length > 0 &&
      make(
        'section',
        { class: 'missing' },
        make('h2', {}, 'Not judged'),
        make('ul', {}, ...notJudged.map(({ name, because }) => make('li', {}, `${name}: ${because}`))),
      ),
  ),
  dialog,
);
draw();
follow();
addEventListener('hashchange', follow);
