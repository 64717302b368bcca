/** A remark plugin: HTML in a message is shown as the text it is, never dropped and never run. */

/** @typedef {{type: string, value?: string, children?: MarkdownNode[]}} MarkdownNode */

const BLOCK_PARENTS = new Set(['root', 'blockquote', 'listItem']);

/** @param {MarkdownNode} node */
function visit(node) {
  node.children = node.children?.map((child) => {
    if (child.type !== 'html') {
      visit(child);
      return child;
    }
    /** @type {MarkdownNode} */
    const text = { type: 'text', value: child.value ?? '' };
    return BLOCK_PARENTS.has(node.type) ? { type: 'paragraph', children: [text] } : text;
  });
}

export function htmlAsText() {
  return /** @param {import('mdast').Root} tree */ (tree) => visit(/** @type {MarkdownNode} */ (tree));
}
