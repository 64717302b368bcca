/**
 * Tables, task lists, footnotes, strikethrough and bare links for the renderer. What `remark-gfm` does, without its way
 * back from a document to Markdown: nothing here goes that way, and it would be a tenth of the renderer.
 */
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm as gfmSyntax } from 'micromark-extension-gfm';

/**
 * A plugin of the processor, which keeps its extensions in its data.
 * @this {{data: () => object}}
 */
export function gfm() {
  const data = /** @type {Record<string, unknown[]|undefined>} */ (this.data());
  data.micromarkExtensions = [...(data.micromarkExtensions ?? []), gfmSyntax()];
  data.fromMarkdownExtensions = [...(data.fromMarkdownExtensions ?? []), gfmFromMarkdown()];
}
