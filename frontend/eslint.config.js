import js from '@eslint/js';
import jsxA11y from 'eslint-plugin-jsx-a11y';
import react from 'eslint-plugin-react';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';

/** Axios belongs to src/api/, Zustand to src/auth/: the arrows of the layout, checked. */
const onlyInApi = { name: 'axios', message: 'Axios is used in src/api/ only.' };
const onlyInAuth = { name: 'zustand', message: 'Zustand holds who is logged in, in src/auth/ only.' };

export default [
  { ignores: ['dist/', 'src/api/schema.d.ts'] },
  // ESLint looks at .js files only, unless others are named.
  { files: ['**/*.{js,jsx}'] },
  js.configs.recommended,
  react.configs.flat.recommended,
  react.configs.flat['jsx-runtime'],
  reactHooks.configs.flat['recommended-latest'],
  jsxA11y.flatConfigs.recommended,
  {
    languageOptions: {
      ecmaVersion: 2024,
      sourceType: 'module',
      globals: { ...globals.browser },
    },
    settings: { react: { version: '19.3' } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // Props are typed in JSDoc and checked by tsc.
      'react/prop-types': 'off',
      'no-restricted-imports': ['error', { paths: [onlyInApi, onlyInAuth] }],
      'no-restricted-properties': [
        'error',
        { object: 'window', property: 'fetch', message: 'Ask through src/api/.' },
      ],
      eqeqeq: 'error',
      'no-console': 'error',
      'max-lines': ['error', { max: 400 }],
    },
  },
  { files: ['src/api/**'], rules: { 'no-restricted-imports': ['error', { paths: [onlyInAuth] }] } },
  { files: ['src/auth/**'], rules: { 'no-restricted-imports': ['error', { paths: [onlyInApi] }] } },
  { files: ['vite.config.js', 'eslint.config.js'], languageOptions: { globals: globals.node } },
];
