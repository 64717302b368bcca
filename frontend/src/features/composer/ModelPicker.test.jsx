import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as calls from '../../api/modelCalls.js';
import { queryClient } from '../../app/queryClient.js';
import { model, runner as someRunner } from '../../test-data.js';
import { ModelPicker } from './ModelPicker.jsx';

vi.mock('../../api/modelCalls.js');

/** @typedef {import('../../api/types.js').ModelInfo} ModelInfo */

const runner = someRunner({ name: 'gpu', url: 'http://gpu:8000/v1', kind: 'vllm' });
const laptop = { ...runner, name: 'laptop', reachable: false, error: 'The model runner at laptop:11434 does not answer.' };
const small = model({ id: 'small', name: 'small', runner: 'gpu', default: true, loaded: true, size_bytes: 98_000_000 });
const twin = model({ id: 'laptop::small', name: 'small', runner: 'laptop', reachable: false });

/** @param {ModelInfo[]} results @param {import('../../api/types.js').RunnerInfo[]} runners */
function show(results, runners, chosen = '') {
  const onChoose = vi.fn();
  vi.mocked(calls.fetchModels).mockResolvedValue(/** @type {import('../../api/types.js').ModelList} */ ({ results, runners }));
  render(
    <QueryClientProvider client={queryClient}>
      <ModelPicker chosen={chosen} onChoose={onChoose} />
    </QueryClientProvider>,
  );
  return onChoose;
}
const open = async (/** @type {RegExp|string} */ name) => userEvent.click(await screen.findByRole('button', { name }));

beforeEach(() => {
  queryClient.clear();
});

describe('the choice of a model', () => {
  test('names the runner beside each model where there is only one', async () => {
    const onChoose = show([small, model({ id: 'big', name: 'big', runner: 'gpu' })], [runner]);
    await open('Model: small');
    const menu = await screen.findByRole('menu');
    expect(within(menu).getByRole('menuitemradio', { name: /^small/ })).toHaveTextContent('gpu · 8,192 tokens of context · 98 MB · loaded');
    await userEvent.click(within(menu).getByRole('menuitemradio', { name: /^big/ }));
    expect(onChoose).toHaveBeenCalledWith('big');
  });

  test('has a group for each of several runners, and says which one is down and why', async () => {
    const onChoose = show([small, twin], [runner, laptop]);
    await open('Model: small · gpu');
    const down = await screen.findByRole('group', { name: /laptop.*does not answer/ });
    expect(within(down).getByRole('menuitemradio')).toHaveTextContent(/^small8,192/);
    expect(within(screen.getByRole('group', { name: 'gpu' })).getByRole('menuitemradio')).toBeChecked();
    await userEvent.keyboard('{ArrowDown}{ArrowDown}{Enter}');
    expect(onChoose).toHaveBeenCalledWith('laptop::small');
  });

  test('says that the chosen model does not answer', async () => {
    show([small, twin], [runner, laptop], 'laptop::small');
    expect(await screen.findByRole('button', { name: 'Model: small · laptop (does not answer now)' })).toBeInTheDocument();
  });
});

describe('the choice among many models', () => {
  const many = [small, ...Array.from({ length: 9 }, (_, n) => model({ id: `m${n}`, name: `Number ${n}`, runner: 'gpu' }))];

  test('can be searched, and goes by the keyboard alone', async () => {
    const onChoose = show(many, [runner]);
    await open('Model: small');
    const field = await screen.findByRole('combobox', { name: 'Search models' });
    expect(field).toHaveFocus();
    expect(screen.getAllByRole('option')).toHaveLength(10);
    await userEvent.type(field, 'number');
    expect(screen.getAllByRole('option')).toHaveLength(9);
    await userEvent.keyboard('{ArrowDown}{Enter}');
    expect(onChoose).toHaveBeenCalledWith('m1');
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  test('says when nothing is found, and Esc leaves everything as it was', async () => {
    const onChoose = show(many, [runner]);
    await open('Model: small');
    await userEvent.type(await screen.findByRole('combobox'), 'nothing like it');
    expect(screen.getByText(/No model has these words/)).toBeInTheDocument();
    await userEvent.keyboard('{Enter}{Escape}');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(onChoose).not.toHaveBeenCalled();
  });
});
