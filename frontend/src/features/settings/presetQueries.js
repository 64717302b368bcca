/** What screens read and do about presets. Nothing tells of them on the live stream, so each screen asks again. */
import { useQuery } from '@tanstack/react-query';

import * as api from '../../api/presets.js';
import { queryClient } from '../../app/queryClient.js';

/** @typedef {import('../../api/presets.js').Preset} Preset */
/** @typedef {import('../../api/presets.js').PresetFields} PresetFields */

const PRESETS = ['presets'];

/** @param {{enabled?: boolean}} [options] */
export function usePresets({ enabled = true } = {}) {
  return useQuery({
    queryKey: PRESETS,
    enabled,
    queryFn: ({ signal }) => api.fetchPresets(signal),
    staleTime: 0,
    // What another window or device has changed is there when a person comes back to this one.
    refetchOnWindowFocus: 'always',
  });
}

/** @param {(presets: Preset[]) => Preset[]} change the list as it is now known to be, without asking for it */
async function rewrite(change) {
  // A list that was asked for before must not arrive after this.
  await queryClient.cancelQueries({ queryKey: PRESETS });
  queryClient.setQueryData(PRESETS, (/** @type {Preset[]|undefined} */ presets) => presets && change(presets));
}

/** @param {Preset} saved */
const withPreset = (saved) => (/** @type {Preset[]} */ presets) =>
  [...presets.filter(({ id }) => id !== saved.id), saved].sort((one, other) => one.name.localeCompare(other.name, 'en'));

/** @param {PresetFields} fields */
export async function makePreset(fields) {
  const saved = await api.makePreset(fields);
  await rewrite(withPreset(saved));
  return saved;
}

/**
 * @param {Preset} preset
 * @param {Partial<PresetFields>} fields
 */
export async function changePreset(preset, fields) {
  const saved = await api.changePreset(preset.id, fields);
  await rewrite(withPreset(saved));
  return saved;
}

/** @param {Preset} preset */
export async function deletePreset(preset) {
  await api.deletePreset(preset.id);
  await rewrite((presets) => presets.filter(({ id }) => id !== preset.id));
}
