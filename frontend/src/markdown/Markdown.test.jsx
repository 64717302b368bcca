import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { describe, expect, test, vi } from 'vitest';

import Markdown from './Markdown.jsx';

/** @param {string} text */
const html = (text) => render(<Markdown text={text} />).container;

describe('a model’s Markdown', () => {
  test('knows GitHub’s other marks: what is struck out, and bare links', () => {
    html('~~gone~~ see https://example.org/a_b');
    expect(screen.getByText('gone').tagName).toBe('DEL');
    expect(screen.getByRole('link', { name: 'https://example.org/a_b' })).toHaveAttribute('href', 'https://example.org/a_b');
  });

  test('keeps tables, lists and task lists', () => {
    html('| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n- [ ] open');
    expect(screen.getByRole('table')).toBeInTheDocument();
    expect(screen.getByRole('checkbox', { name: 'Done' })).toBeChecked();
    expect(screen.getByRole('checkbox', { name: 'Not done' })).not.toBeChecked();
  });

  test('begins its headings below those of the page', () => {
    html('# Top');
    expect(screen.getByRole('heading', { name: 'Top', level: 3 })).toBeInTheDocument();
  });

  test('shows HTML as text and runs none of it', () => {
    const container = html('a <b>bold</b> <img src=x onerror="alert(1)">\n\n<script>alert(1)</script>\n\n<style>p{}</style>');
    expect(container.querySelector('script, style, img, b, [onerror]')).toBeNull();
    expect(container).toHaveTextContent('<script>alert(1)</script>');
    expect(container).toHaveTextContent('<b>bold</b>');
  });

  test('makes no link of javascript: and data: addresses', () => {
    const container = html('[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.org/)');
    expect([...container.querySelectorAll('a')].map((link) => link.getAttribute('href'))).toEqual(['https://example.org/']);
  });

  test('opens links in a new tab without telling where they were', () => {
    html('[docs](https://example.org/)');
    expect(screen.getByRole('link', { name: 'docs' })).toHaveAttribute('rel', expect.stringContaining('noopener noreferrer'));
    expect(screen.getByRole('link', { name: 'docs' })).toHaveAttribute('target', '_blank');
  });

  test('loads no remote image, and says where it is', () => {
    const container = html('![a cat](https://example.org/cat.png)');
    expect(container.querySelector('img')).toBeNull();
    expect(screen.getByRole('link', { name: 'Image: a cat' })).toHaveAttribute('href', 'https://example.org/cat.png');
  });

  test('copies code exactly', async () => {
    const writeText = vi.fn().mockResolvedValue(undefined);
    vi.stubGlobal('navigator', { ...navigator, clipboard: { writeText } });
    html('```python\nif x < 1 && y:\n\tpass\n```');
    fireEvent.click(screen.getByRole('button', { name: 'Copy code' }));
    await waitFor(() => expect(writeText).toHaveBeenCalledWith('if x < 1 && y:\n\tpass'));
    vi.unstubAllGlobals();
  });

  test('colours code only when its fence has closed', async () => {
    const { container, rerender } = render(<Markdown text={'```python\nreturn 1'} />);
    expect(container.querySelector('code span')).toBeNull();
    rerender(<Markdown text={'```python\nreturn 1\n```'} />);
    await waitFor(() => expect(container.querySelector('code .hljs-keyword')).toHaveTextContent('return'));
    expect(container.querySelector('code')).toHaveTextContent('return 1');
  });

  test('is the same page whether it grew or came at once', () => {
    const text = 'Intro with `code`.\n\n- a\n- b\n\n> quote\n\n| x |\n|---|\n| 1 |\n\nEnd **bold**.';
    const { container, rerender } = render(<Markdown text="" />);
    for (let length = 1; length <= text.length; length += 1) rerender(<Markdown text={text.slice(0, length)} />);
    expect(container.innerHTML).toBe(html(text).innerHTML);
  });
});
