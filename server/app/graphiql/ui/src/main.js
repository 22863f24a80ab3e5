import './workers.js';
import 'graphiql/style.css';
import './style.css';

import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

import { defaultQuery } from './default-query.js';

const root = document.getElementById('graphiql');
const endpoint = new URL(root.dataset.graphql, location.href);
const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';

// The socket is opened when the first subscription is.
const fetcher = createGraphiQLFetcher({
  url: endpoint.href,
  subscriptionUrl: socket.href,
  enableIncrementalDelivery: false,
});

createRoot(root).render(createElement(GraphiQL, { fetcher, defaultQuery }));
