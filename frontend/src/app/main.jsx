/** Where the browser side starts. The sheets for everything come first, so that components can differ from them. */
import './tokens.css';
import './global.css';

import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';

import { watchTheme } from '../features/settings/theme.js';
import { App } from './App.jsx';
import { queryClient } from './queryClient.js';

watchTheme();
createRoot(/** @type {HTMLElement} */ (document.getElementById('root'))).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <App />
      </BrowserRouter>
    </QueryClientProvider>
  </StrictMode>,
);
