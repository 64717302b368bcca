/*
 * Sets the theme before the first paint. A classic script of its own, because a module would run too late
 * and the content security policy forbids inline scripts. src/features/settings/theme.js is its other half.
 */
(function () {
  var choice = 'system';
  try {
    choice = localStorage.getItem('verbatim:theme') || 'system';
  } catch {
    // Storage can be switched off; the system's theme is a good answer then.
  }
  var dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
