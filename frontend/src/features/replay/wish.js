/** Pure: what the replay dialog asks for, from what stands in its fields and what is in force now. */

/** @typedef {import('../../api/types.js').ConversationSettings} ConversationSettings */
/** @typedef {import('../../api/replays.js').Params} Params */
/** @typedef {import('../../api/replays.js').ReplayWish} ReplayWish */

/**
 * @typedef {object} Fields as they stand in the form
 * @property {string} model
 * @property {string} systemPrompt
 * @property {Record<string, string>} params empty: not set
 */

/** The parameters the form offers; others that are in force stay as they are. */
export const PARAMETERS = [
  { name: 'temperature', label: 'Temperature', hint: '0 to 2. Lower is more predictable.', inputMode: 'decimal' },
  { name: 'top_p', label: 'Top P', hint: '0 to 1. How much of the likely words is considered.', inputMode: 'decimal' },
  { name: 'max_tokens', label: 'Longest reply', hint: 'In tokens.', inputMode: 'numeric' },
  { name: 'seed', label: 'Seed', hint: 'A whole number, for repeatable randomness.', inputMode: 'numeric' },
];

/**
 * @param {ConversationSettings} settings
 * @param {string} model the model in force, also where it is the default
 * @returns {Fields}
 */
export function fieldsOf(settings, model) {
  const inForce = /** @type {Params} */ (settings.params ?? {});
  const params = Object.fromEntries(PARAMETERS.map(({ name }) => [name, String(inForce[name] ?? '')]));
  return { model, systemPrompt: settings.system_prompt, params };
}

/**
 * @param {Fields} now
 * @param {Fields} before
 * @param {ConversationSettings} settings
 * @returns {ReplayWish|null} only what differs; null where nothing does
 */
export function wishOf(now, before, settings) {
  /** @type {ReplayWish} */
  const wish = {};
  if (now.model !== before.model) wish.model = now.model;
  if (now.systemPrompt !== before.systemPrompt) wish.system_prompt = now.systemPrompt;
  const changed = PARAMETERS.some(({ name }) => now.params[name]?.trim() !== before.params[name]);
  if (changed) {
    /** @type {Params} */
    const params = { .../** @type {Params} */ (settings.params ?? {}) };
    for (const { name } of PARAMETERS) {
      const value = now.params[name]?.trim() ?? '';
      if (value) params[name] = value;
      else delete params[name];
    }
    wish.params = params;
  }
  return Object.keys(wish).length > 0 ? wish : null;
}
