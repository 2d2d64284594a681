/** @file What journeys are about: kinds of trips with their aspects and verbs, and the words of their names. */
import { type Domain, many, one } from './world.ts';

export const domains: readonly Domain[] = [
  {
    noun: 'ferry',
    article: 'a',
    verbs: ['caught', 'boarded', 'rode'],
    aspects: [one('crossing'), many('decks'), one('boarding'), one('crew'), one('fare')],
  },
  {
    noun: 'night train',
    article: 'a',
    verbs: ['caught', 'boarded', 'rode'],
    aspects: [one('ride'), many('carriages'), many('berths'), many('conductors'), one('fare')],
  },
  {
    noun: 'trail',
    article: 'a',
    verbs: ['hiked', 'walked', 'followed'],
    aspects: [many('views'), one('landscape'), one('footing'), many('signposts'), one('permit')],
  },
  {
    noun: 'cable car',
    article: 'a',
    verbs: ['rode', 'boarded', 'caught'],
    aspects: [one('panorama'), one('cabin'), one('queue'), many('attendants'), one('ticket')],
  },
  {
    noun: 'mountain hut',
    article: 'a',
    verbs: ['reached', 'climbed', 'crossed'],
    aspects: [one('stew'), one('fireplace'), many('bunks'), one('warden'), one('tariff')],
  },
  {
    noun: 'river cruise',
    article: 'a',
    verbs: ['joined', 'boarded', 'sailed'],
    aspects: [many('sights'), one('saloon'), many('moorings'), one('captain'), one('fare')],
  },
  {
    noun: 'safari',
    article: 'a',
    verbs: ['joined', 'followed', 'crossed'],
    aspects: [one('wildlife'), one('camp'), many('jeeps'), many('rangers'), one('fee')],
  },
  {
    noun: 'island hop',
    article: 'an',
    verbs: ['joined', 'sailed', 'flew'],
    aspects: [many('beaches'), one('coastline'), many('transfers'), one('pilot'), one('fee')],
  },
];

export const nameStarts: readonly string[] =
  `Baltic Coral Dune Fjord Granite Juniper Lagoon Monsoon Nordic Opal Prairie Quartz Sable Tundra Umber Viking Zephyr
  Alpine Basalt Cobalt Desert Frost Gale Indigo Jade Kelp Lava Marble Nimbus Pampas`.split(/\s+/);
export const nameEnds: readonly string[] =
  `Albatross Bison Caravan Dolphin Eagle Gannet Harrier Ibex Jackal Kestrel Lynx Marten Nomad Osprey Pilgrim Quail
  Stork Tern Viper Wagon Yak Zebra Condor Drifter Envoy Gazelle Hermit Puffin Trident Corsair`.split(/\s+/);
