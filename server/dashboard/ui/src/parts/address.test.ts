import { expect, test } from 'vitest'
import { type Panel, panelWriter, type Range, readAddress, screens, type View, writeAddress } from './address'
import { numbers } from './numbers.testing'

const read = (address: string) => {
  const [path = '', query = ''] = address.split('?')
  return readAddress(path, query)
}

test('a view that is written and read is the same', () => {
  const next = numbers(7)
  const pick = <T>(...of: T[]) => of[next(of.length)] as T
  const id = () => pick('R29hbDox', 'U2VnbWVudDoxMg==', 'U2l0ZTo/Pz8+')
  for (let i = 0; i < 500; i++) {
    const view: View = {
      site: pick('shop.example', 'localhost', 'id:U2l0ZTox', 'bücher.example'),
      screen: pick(...screens),
      range: pick<Range | null>(
        null,
        { name: 'TODAY' },
        { name: 'LAST_30_DAYS' },
        { date: { from: '2024-02-29', to: '2026-01-01' } },
      ),
      compare: pick(true, false),
      segments: pick(null, [], [id()], [id(), 'x']),
      within: pick('', id()),
      filters: pick<View['filters']>([], [{ a: { is: ['ü&=%+#,', '‮'] } }, { not: { b: {} } }]),
      order: pick('', 'VISITORS', `CONVERSIONS:${id()}`),
      search: pick('', 'a b', 'ü&=%+#?/.,:', '<b>‮'),
      by: pick('', 'PAGE', 'R29hbDox'),
      goals: pick([], [id()], [id(), 'x']),
      page: pick(1, 2, 12),
      panel: pick<Panel | null>(
        null,
        { kind: 'why', goal: id(), segment: id() },
        { kind: 'segment', id: null },
        { kind: 'goal', id: id() },
        { kind: 'convert', segment: id() },
        { kind: 'experiment', id: null },
        { kind: 'session', id: id() },
      ),
    }
    const address = writeAddress(view)
    expect(read(address), address).toEqual(view)
    expect(writeAddress(read(address))).toBe(address)
    if (view.panel) expect(panelWriter(view)(view.panel)).toBe(address)
  }
})

test('what an address leaves out or has wrong has its default', () => {
  const home = read('/sites/shop.example')
  for (const address of [
    '/sites/shop.example/',
    '/sites/shop.example/nowhere',
    '/sites/shop.example?range=',
    '/sites/shop.example?range=SOON',
    '/sites/shop.example?range=2026-02-30..2026-03-01',
    '/sites/shop.example?range=2026-03-02..2026-03-01',
    '/sites/shop.example?compare=next',
    '/sites/shop.example?panel=why.x',
    '/sites/shop.example?panel=why.x.y.z',
    '/sites/shop.example?panel=goal.x.y',
    '/sites/shop.example?panel=goal',
    '/sites/shop.example?filters=[{',
    '/sites/shop.example?filters={}',
    '/sites/shop.example?filters=[{"a":1,"b":2}]',
    '/sites/shop.example?filters=[[]]',
    '/sites/shop.example?page=0',
    '/sites/shop.example?page=1.5',
    '/sites/shop.example?page=-2',
    '/sites/shop.example?later=1',
  ]) {
    expect(read(address), address).toEqual(home)
  }
  expect(read('/').site).toBe('')
  expect(read('/elsewhere/shop.example').site).toBe('')
  expect(read('/sites/%E0%A4%A').site).toBe('%E0%A4%A')
})

test('links are for people to read', () => {
  expect(
    writeAddress({
      ...read('/sites/shop.example'),
      range: { date: { from: '2026-03-01', to: '2026-03-07' } },
      segments: ['a', 'b'],
    }),
  ).toBe('/sites/shop.example?range=2026-03-01..2026-03-07&segments=a,b')
})
