#!/usr/bin/env node
// A plugin with the filter type searchEngine: sessions that a search engine led to.
import { ArgumentError, empty, serve } from './goalgraph.mjs'

// Where Google has hosts of its own.
const nations = ['com', 'at', 'be', 'bg', 'ca', 'ch', 'co.id', 'co.il', 'co.in', 'co.jp', 'co.kr', 'co.uk', 'com.ar', 'com.au', 'com.br',
  'com.mx', 'com.tr', 'com.tw', 'com.ua', 'cz', 'de', 'dk', 'es', 'fi', 'fr', 'gr', 'hu', 'ie', 'it', 'nl', 'no', 'pl', 'pt', 'ro', 'ru', 'se']

// The engines, with their hosts as globs. No host is of two engines, or merge could
// not tell that they exclude each other: www.google.* and *.bing.com would both
// match www.google.bing.com.
const known = {
  BAIDU: { title: 'Baidu', hosts: ['www.baidu.com', 'm.baidu.com'] },
  BING: { title: 'Bing', hosts: ['bing.com', '*.bing.com'] },
  DUCKDUCKGO: { title: 'DuckDuckGo', hosts: ['duckduckgo.com', '*.duckduckgo.com'] },
  ECOSIA: { title: 'Ecosia', hosts: ['www.ecosia.org'] },
  GOOGLE: { title: 'Google', hosts: nations.map((nation) => `www.google.${nation}`) },
  YAHOO: { title: 'Yahoo', hosts: ['search.yahoo.com', '*.search.yahoo.com'] },
  YANDEX: { title: 'Yandex', hosts: ['yandex.ru', 'www.yandex.ru', 'yandex.com', 'www.yandex.com', 'yandex.com.tr'] },
}
const all = Object.keys(known)

// engines returns the chosen engines in the order of all, each once.
function engines(args) {
  for (const name of Object.keys(args)) {
    if (name !== 'is') throw new ArgumentError(name, `there is no argument ${name}; use is`)
  }
  if (args.is == null) return all
  if (!Array.isArray(args.is)) throw new ArgumentError('is', 'expected a list of search engines')
  if (args.is.length === 0) throw new ArgumentError('is', 'the list is empty; name an engine or leave the list out')
  args.is.forEach((name, i) => {
    if (!all.includes(name)) throw new ArgumentError(`is[${i}]`, `not a search engine; use one of ${all.join(', ')}`)
  })
  return all.filter((name) => args.is.includes(name))
}

const leaf = (host) => (host.includes('*') ? `(glob referrer ${JSON.stringify(host)})` : `(in referrer ${JSON.stringify(host)})`)

const searchEngine = {
  name: 'searchEngine',
  title: 'Search engine',
  description: 'Sessions from a search engine, by the host of the referrer. Merging keeps the engines that both filters allow.',
  rule: 'MERGE_RULE_INTERSECTION',
  input: 'SearchEngineFilter',
  sdl: `
"Sessions from a search engine. Merge rule INTERSECTION."
input SearchEngineFilter {
  "One of these engines. Any if left out."
  is: [SearchEngineName!]
}
"A search engine."
enum SearchEngineName {
${all.map((name) => `  "${known[name].title}."\n  ${name}`).join('\n')}
}`,

  compile(args) {
    const chosen = engines(args)
    return {
      predicate: `(or ${chosen.flatMap((name) => known[name].hosts).map(leaf).join(' ')})`,
      label: chosen.length === all.length ? 'From a search engine' : `From ${chosen.map((name) => known[name].title).join(' or ')}`,
    }
  },

  merge(active, goal) {
    const allowed = engines(goal)
    const is = engines(active).filter((name) => allowed.includes(name))
    return is.length > 0 ? { is } : empty
  },
}

serve('searchengine', '1.0.0', [searchEngine])
