/**
 * Which calls are shown. What is chosen stands in the page's address: at once for the choices at hand, and when the
 * form is sent for what has to be typed.
 */
import { useId, useRef, useState } from 'react';

import { Button } from '../../ui/Button.jsx';
import { CloseIcon } from '../../ui/icons.jsx';
import { AT_HAND, FILTERS, asTyped, filterInWords, fromTyped } from './filters.js';
import styles from './LedgerFilters.module.css';

/** @typedef {import('./filters.js').Filter} Filter */
/** @typedef {import('./filters.js').Filters} Filters */
/** @typedef {{value: string, label: string}} Offer */

/** @param {Filter['kind']} kind */
const isEnd = (kind) => kind === 'ms' || kind === 'count';

const RANGES = FILTERS.filter(({ name, kind }) => isEnd(kind) && name.endsWith('_min')).map((least) => ({
  legend: least.label.replace(/ at least$/, '') + (least.kind === 'ms' ? ' (seconds)' : ''),
  ends: FILTERS.filter(({ name }) => name.replace(/_(min|max)$/, '') === least.name.replace(/_min$/, '')),
}));

/**
 * @typedef {object} FiltersProps
 * @property {Filters} filters
 * @property {(change: Filters) => void} onChange an empty value takes a filter away
 * @property {() => void} onClear
 * @property {Record<string, Offer[]>} offers what can be chosen or is suggested, by filter
 * @property {boolean} withUser
 */

/** @param {FiltersProps} props */
export function LedgerFilters({ filters, onChange, onClear, offers, withUser }) {
  const [open, setOpen] = useState(false);
  const formId = useId();
  /** @type {import('react').RefObject<HTMLButtonElement|null>} */
  const more = useRef(null);
  const chosen = FILTERS.filter(({ name }) => filters[name]);

  /** What had the focus is gone then. @param {() => void} take */
  const takeAway = (take) => {
    take();
    more.current?.focus();
  };
  /** @param {string} name @param {string} id */
  const nameOf = (name, id) => offers[name]?.find(({ value }) => value === id)?.label ?? id.slice(0, 8);

  return (
    <section aria-label="Filters" className={styles.filters}>
      <div className={styles.bar}>
        {FILTERS.filter(({ name }) => AT_HAND.includes(name)).map((filter) => (
          <Choice
            key={filter.name}
            filter={filter}
            value={filters[filter.name] ?? ''}
            onChange={(value) => onChange({ [filter.name]: value })}
          />
        ))}
        <Button ref={more} aria-expanded={open} aria-controls={open ? formId : undefined} onClick={() => setOpen(!open)}>
          {open ? 'Fewer filters' : 'More filters'}
        </Button>
      </div>
      {open && (
        <FilterForm
          // Another address, another form: by a link or by the browser's own buttons.
          key={JSON.stringify(filters)}
          id={formId}
          filters={filters}
          offers={offers}
          withUser={withUser}
          onChange={(change) => {
            onChange(change);
            setOpen(false);
            more.current?.focus();
          }}
        />
      )}
      {chosen.length > 0 && (
        <ul className={styles.chips} aria-label="Chosen filters">
          {chosen.map((filter) => {
            const words = filterInWords(filter, filters[filter.name] ?? '', nameOf);
            return (
              <li key={filter.name}>
                <button
                  type="button"
                  className={styles.chip}
                  aria-label={`Remove filter: ${words}`}
                  onClick={() => takeAway(() => onChange({ [filter.name]: '' }))}
                >
                  <span title={words}>{words}</span>
                  <CloseIcon />
                </button>
              </li>
            );
          })}
          {chosen.length > 1 && (
            <li>
              <Button kind="quiet" onClick={() => takeAway(onClear)}>
                Clear all
              </Button>
            </li>
          )}
        </ul>
      )}
    </section>
  );
}

/** @param {{filter: Filter, value: string, onChange: (value: string) => void}} props */
function Choice({ filter, value, onChange }) {
  const id = useId();
  const known = Object.entries(filter.choices ?? {});
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{filter.label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">Any</option>
        {known.map(([choice, word]) => (
          <option key={choice} value={choice}>
            {word}
          </option>
        ))}
        {value && !known.some(([choice]) => choice === value) && <option value={value}>{value}</option>}
      </select>
    </div>
  );
}

/**
 * @param {{
 *   id: string,
 *   filters: Filters,
 *   offers: Record<string, Offer[]>,
 *   withUser: boolean,
 *   onChange: (change: Filters) => void,
 * }} props
 */
function FilterForm({ id, filters, offers, withUser, onChange }) {
  const typed = FILTERS.filter(({ name }) => !AT_HAND.includes(name) && (name !== 'user' || withUser));

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const submit = (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    onChange(
      Object.fromEntries(
        typed.map((filter) => [filter.name, fromTyped(filter, String(form.get(filter.name) ?? ''), filters[filter.name])]),
      ),
    );
  };
  return (
    <form id={id} className={styles.form} aria-label="More filters" onSubmit={submit}>
      <div className={styles.grid}>
        {typed.filter(({ kind }) => !isEnd(kind)).map((filter) => (
          <TypedField key={filter.name} filter={filter} value={filters[filter.name] ?? ''} offers={offers[filter.name] ?? []} />
        ))}
        {RANGES.map(({ legend, ends }) => (
          <fieldset key={legend} className={styles.range}>
            <legend>{legend}</legend>
            <div className={styles.ends}>
              {ends.map((filter) => (
                <End key={filter.name} filter={filter} value={filters[filter.name] ?? ''} />
              ))}
            </div>
          </fieldset>
        ))}
      </div>
      <Button kind="primary" type="submit">
        Show these calls
      </Button>
    </form>
  );
}

/** One end of a range. @param {{filter: Filter, value: string}} props */
function End({ filter, value }) {
  const inSeconds = filter.kind === 'ms';
  return (
    <input
      type="number"
      min={0}
      step={inSeconds ? 'any' : 1}
      inputMode="decimal"
      name={filter.name}
      aria-label={inSeconds ? `${filter.label} (seconds)` : filter.label}
      placeholder={filter.name.endsWith('_min') ? 'at least' : 'at most'}
      defaultValue={asTyped(filter, value)}
    />
  );
}

/** @param {{filter: Filter, value: string, offers: Offer[]}} props */
function TypedField({ filter, value, offers }) {
  const id = useId();
  const common = { id, name: filter.name, defaultValue: asTyped(filter, value) };
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{filter.label}</label>
      {filter.kind === 'id' && (
        <select {...common}>
          <option value="">Any</option>
          {offers.map((offer) => (
            <option key={offer.value} value={offer.value}>
              {offer.label}
            </option>
          ))}
          {value && !offers.some((offer) => offer.value === value) && <option value={value}>{value}</option>}
        </select>
      )}
      {filter.kind === 'time' && <input type="datetime-local" {...common} />}
      {filter.kind === 'text' && (
        <>
          <input type="text" list={`${id}-offers`} autoComplete="off" spellCheck={false} {...common} />
          <datalist id={`${id}-offers`}>
            {offers.map((offer) => (
              <option key={offer.value} value={offer.value}>
                {offer.label}
              </option>
            ))}
          </datalist>
        </>
      )}
    </div>
  );
}
