"""What the simulated models know: rivers, weirs and the people who look after them. Text only.

Written for this project. `{a|b}` stands for one of its parts; `expand` spells the sentences out.
"""

# ruff: noqa: E501 -- a sentence a line is easier to read and to edit than sentences cut at a margin

import itertools
import re

TOPICS: tuple[tuple[str, ...], ...] = (
    (  # what a weir is
        "A weir is a low wall across a river, and the river is {meant|expected|invited} to flow over it.",
        "Unlike a dam, it does not try to {stop|hold|own} the water; it only asks the water to {rise|wait} a little.",
        "Upstream the {surface|pool} lies {flat and dark|smooth as glass|almost still}, while below the crest everything is {white and loud|in a hurry|broken into foam}.",
        "The {shape|height|length} of the crest decides how much water passes at a given depth.",
        "A {sharp|thin} crest measures well, a {broad|wide} crest lasts longer, and most builders {settle for|end up with} something in between.",
        "Because the drop is {small|modest}, a weir can be {built|repaired} by a village, {with timber, stone and patience|in a single dry summer}.",
        "Every weir is a {compromise|bargain} between the people who want the water {high|early} and those who want it {gone|low}.",
        "The name comes from an old word for {damming up|defending}, which tells you how {long|seriously} people have been doing it.",
        "Seen from the bank it looks {simple|obvious}, and it is, in the way that a {well-kept|well-worn} tool is simple.",
        "What the eye takes for a {wall of glass|curtain} is a sheet of water {no thicker than a hand|a few centimetres thick}.",
        "It works day and night, without a {motor|clock|switch} anywhere.",
        "Nobody {opens|closes} it, nobody {guards|minds} it, and still it keeps its promise to the millers downstream.",
    ),
    (  # dawn on the river
        "At dawn the river is {the colour of slate|grey|pewter}, and {mist|a thin fog} stands on it like breath.",
        "A heron {waits|stands} in the shallows with the {patience|stillness} of someone who has been {wrong|hungry} before.",
        "The first {light|sun} reaches the {alders|willows} long before it reaches the water.",
        "Somewhere behind the reeds a moorhen {complains|calls} and is answered from the other bank.",
        "Nothing hurries at this hour except the {current|water}, and even the current seems {undecided|half asleep}.",
        "By {seven|eight} the mist has {lifted|gone}, and the day begins to {sound|look} like any other.",
        "The keeper walks the towpath with a {lantern|thermos} in one hand and the {gauge book|log} under his arm.",
        "He reads the staff, writes {one|a} number down and {looks|listens} a while longer than he has to.",
        "There is a smell of {wet stone|mint and mud|cold iron}, and of {rain|bread} from the other side.",
        "A {kingfisher|swallow} crosses the pool so quickly that you only {see|remember} the colour.",
        "If you {sit still|keep quiet} long enough, the river forgets that you are there.",
        "Good morning, says the {lock-keeper|ferryman} to nobody in particular, and the {dog|water} agrees. 🌅",
    ),
    (  # measuring
        "To measure a river you need {a straight reach|a staff gauge}, a {watch|clock} and somebody who {writes things down|does not round}.",
        "The discharge over a thin weir grows with the head to the power of {one and a half|3/2}.",
        "In symbols: Q = C · L · H^1.5, where H is the depth above the crest.",
        "Double the depth and you get {almost|nearly} three times the flow, which surprises {everybody once|most visitors}.",
        "A triangular notch is better for {small|low} flows, since a {trickle|cupful} still {fills|wets} a readable part of it.",
        "The reading is taken {upstream|a little way up}, where the surface has not yet {begun to bend|felt the fall}.",
        "An error of {one millimetre|a hair} at low water is {worse|larger} than an error of a centimetre in a flood.",
        "Averages hide the {floods|worst days}, so the {careful|older} hydrologists ask for the highest percentiles first.",
        "A gauge that is never {checked|read twice} is {only|merely} an opinion with a scale on it.",
        "Good records are {dull|boring}: the same place, the same hour, the same {pencil|units}, for {forty|sixty} years.",
        "When two instruments disagree, write down {both|both figures}; the {difference|gap} is also data.",
        "The clock matters as much as the {staff|gauge}, because a level without a time {says|means} very little.",
        "Count what passes, note when it passed, and {resist the urge|do not hurry} to explain it too early.",
    ),
    (  # engineers and gates
        "The gate is {lifted|raised} by a rack and a {hand wheel|crank}, {eleven|nine} turns for every {hand's breadth|ten centimetres}.",
        "An engineer asks three things of a gate: that it opens, that it closes, and that it {says|shows} which of the two it has done.",
        "Water {finds|remembers} every {gap|mistake}, so the seals are {renewed|replaced} before they leak and not after.",
        "The {design|drawing} allows for a flood that comes once in {a hundred|two hundred} years, and for {one|a day} that is worse.",
        "A spillway is a {polite|generous} way of admitting that the {forecast|plan} may be wrong.",
        "Most failures begin {small|quietly}: a {wet patch|damp line} on the dry side, a {bolt|hinge} that turns too easily.",
        "The old gates were {oak|elm}, which {lasts|keeps} for centuries as long as it is never allowed to dry.",
        "Steel is {stronger|stiffer}, but it wants paint, {current|anodes} and somebody who remembers {both|the date}.",
        "When the {valve|sluice} closes too fast, the pipe answers with a {blow|knock} like a hammer.",
        "So the rule is to close slowly, and to {wait|listen} between the last {two|three} turns.",
        "Every {drawing|plan} in the archive is {signed|dated}, and every signature belongs to somebody who {got wet|stood in the rain}.",
        "The best compliment for a {structure|weir} is that the {town|village} has stopped noticing it.",
    ),
    (  # fish
        "Salmon do not mind a {fall|step} that they can {leap|see the top of}; it is the shallow, fast apron that {stops|tires} them.",
        "A fish ladder is a {flight|stair} of {small|quiet} pools, each a {hand|foot} higher than the last.",
        "Eels need something {else|different}: a {ramp|strip} of bristles, {damp|wet} and rough, along the edge.",
        "On a {good|warm} night in {May|June} the counter below the {mill|bridge} clicks {four hundred|two hundred} times. 🐟",
        "Some fish {wait|rest} in the tail pool for days, as if the {noise|smell} of the fall were {news|a rumour}.",
        "Where the weir has become {useless|old}, taking out {three|a few} stones can open {thirty|fifty} kilometres of stream.",
        "The young ones go {down|seaward} in spring, tail first, {letting|making} the current do the {work|thinking}.",
        "Trout {hold|stand} just behind the boulder, where {fast water brings food|the current folds} and slow water costs nothing.",
        "An otter {uses|climbs} the ladder too, and the counter {dutifully|quietly} records an enormous fish.",
        "Gravel is a {nursery|cradle}, and silt is what {closes|smothers} it.",
        "A river without {steps|pools} is a corridor; a river with {pools|bends} is a {home|neighbourhood}.",
    ),
    (  # mills
        "The mill {took|borrowed} its water at the weir and {gave|handed} it back two fields further down.",
        "An overshot wheel {uses|needs} little water and a {great|long} drop; an undershot wheel is {content|happy} with the opposite.",
        "The stones turned at {a hundred|a hundred and twenty} revolutions, and the whole house {hummed|trembled} with them.",
        "A miller could tell by the {sound|smell} whether the stones ran {too close|dry}.",
        "In Japanese the water wheel is called 水車, and it {pounds|hulls} rice as {calmly|steadily} as it once ground {tea|flour}.",
        "Rights to the water were {written|fixed} in hours: Monday until {noon|dusk} for the {upper|old} mill, then for the {lower|new} one.",
        "When the {railway|steam engine} came, the wheel {stopped|went quiet}, but nobody took the {weir|wall} away.",
        "Today a small turbine {hums|spins} in the wheel pit and {pays|earns} for the roof.",
        "It {makes|gives} about {twelve|fifteen} kilowatts, enough for the {street|school} and a bakery.",
        "The {millpond|pond} froze every winter, and {children|half the town} learned to skate {on it|between the reeds}.",
        "Flour, {sawn timber|paper} and {rope|cloth} all began as {falling|moving} water.",
    ),
    (  # floods
        "A flood rarely {arrives|comes} as a wall; it {comes|climbs} step by step, and each step {seems|looks} reasonable.",
        "First the {meadow|lower path} goes, then the {bench|fence}, then the {road|gate}, and only then the sleep.",
        "At high water the weir {disappears|drowns}: the river runs {smoothly|level} over it as though it had never been {built|there}.",
        "The most dangerous {place|water} is the {quiet|smooth} roller below the fall, which {keeps|holds} whatever it catches.",
        "Stay {off|away from} the crest, however {shallow|harmless} it looks.",
        "A {siren|bell} is tested on the first Saturday of each month, and {everyone|the whole valley} looks up, and {goes on|nods}.",
        "The {meadows|fields} below the town are {allowed|meant} to flood, so that the {kitchens|cellars} are not.",
        "Levels rose by {four|six} centimetres an hour until {midnight|two o'clock}, and then by {one|two}.",
        "In the morning there was a {ladder|rowing boat} in the {plum tree|orchard} and {mud|silt} on the piano.",
        "What {matters|counts} afterwards is less the height of the water than the {time|hours} it stayed.",
        "A good {forecast|warning} is short: how high, how soon, and how {sure|certain} we are.",
        "The marks on the {church|mill} wall go back to {1784|1690}; the highest is {above|over} the door.",
    ),
    (  # canals and locks
        "A lock is a {box|room} with two doors and a {rule|law}: never both at once.",
        "The boat goes in, the {lower|heavy} gates {close|fold} against the stream, and the water {does the lifting|raises the floor}.",
        "It takes about {eight|ten} minutes, which is {exactly|just} the time it takes to {drink a coffee|tell a story}.",
        "On the {summit|top} level every boat costs a {lockful|chamber} of water, and in a {dry|long} August that is {counted|felt}.",
        "The engineers of the {Canal du Midi|old canal} brought streams from {mountains|hills} a day's walk away to {feed|fill} the highest pool.",
        "A {narrow|loaded} boat weighs as much as the water it {moves|pushes} aside, so an aqueduct {feels|notices} nothing when it passes.",
        "Where the towpath changes {sides|banks} there is a bridge so {cleverly|simply} bent that the horse {never needs to|need not} be unhitched.",
        "The paddles {rattle|rise}, the water {boils|swirls} brown for a moment, and then {everything|the chamber} is level again.",
        "Traffic on a canal is {gentle|slow}, but the queue {obeys|follows} the same arithmetic as any other.",
        "If boats come faster than the lock can {turn|work}, the line {grows|lengthens}, and {shouting|impatience} does not shorten it.",
        "One lock {in|per} ten minutes is six an hour, no matter how {urgent|loud} the seventh is.",
    ),
    (  # sound
        "Water makes hardly any {sound|noise} by itself; what we hear is {air|bubbles}, caught and let go.",
        "A {small|thin} fall rings high, a {big|heavy} one {growls|rumbles}, and both are {made|built} of bubbles.",
        "{Millers|Keepers} used to wake when the weir went {silent|quiet}, because silence meant {ice|drought}.",
        "The falling sheet can {tremble|flutter} like a {sail|flag}, and on some nights the windows {hum|sing} with it.",
        "{Engineers|Builders} cure this with a row of small {teeth|blocks} on the crest, which let the {air|wind} in behind.",
        "From the {bridge|inn} you hear {one steady note|a single chord}; from the bank it is a {crowd|whole choir}.",
        "In winter the note drops, as {cold|thick} water {falls|moves} a little more slowly.",
        "Children say it sounds like {applause|rain on a tent}, and they are {right|not far off}.",
        "You {stop|cease} hearing it after {a week|ten minutes}, and you {start|begin} again the day it changes.",
        "A {café|terrace} by the weir needs no music. ☕",
    ),
    (  # winter, ice, spring
        "Ice begins at the {edges|banks}, where the water has {time|leisure} to think about it.",
        "The fall itself {never|hardly ever} freezes, but everything it {splashes|touches} does, layer by layer.",
        "By {January|February} each {twig|railing} on the bank wears a {sleeve|coat} of glass. ❄",
        "On clear nights fine needles form in the {open|moving} water and {clog|close} the screens within {an hour|minutes}.",
        "The {night|duty} crew {rakes|clears} them by hand and speaks {mostly|only} of soup.",
        "When the thaw comes, the ice goes out with a {groan|crack} that {carries|is heard} for miles.",
        "Floes {pile|climb} up on the crest, {tilt|turn} and slide over, one {after|behind} another.",
        "Snow in the hills is water with a {delay|timetable}, and {spring|April} is when it is {paid|delivered} out.",
        "In Gävle, in Tromsø and along the {upper|young} Rhône, people {watch|read} the same three signs of spring.",
        "The first {warm|mild} rain on old snow is what the {hydrologists|forecasters} {fear|wait for}.",
        "By {May|June} the river is {green|clear} and {modest|polite} again.",
    ),
    (  # sediment and time
        "A river carries {two|both} things, water and {stones|land}, and it {drops|sets down} the second wherever it slows.",
        "Behind the weir the {gravel|silt} {collects|settles}, year on year, until the pool is {half|mostly} meadow.",
        "Below it the {hungry|clear} water digs for what it has {lost|left behind}.",
        "You can {read|see} this in the {piers|foundations} of the bridge, which stand {taller|higher} every decade.",
        "A {grain|pebble} of sand may {take|need} a thousand years from the {glacier|spring} to the sea, resting most of the way.",
        "Meanders {move|wander} downstream like a {slow|lazy} rope being shaken.",
        "Maps of the same {valley|bend}, laid over each other, show a river that has been {nearly everywhere|on both sides of the church}.",
        "What {looks|seems} permanent is {only|merely} slower than we are.",
        "Flushing the pool helps, if it is done in {high water|spring} and not in the {week|month} the trout spawn.",
        "The dredger {comes|returns} every seventh autumn, {orange|rusty} and unhurried.",
        "Clay keeps the {story|record}: a pale band for each {flood|thaw}, a dark one for each {summer|calm year}.",
    ),
    (  # an old work, and the keeping of it
        "At Dujiangyan (都江堰) the Min River has been {divided|shared} since 256 BC, without a dam {to hold it back|of any kind}.",
        "A {long|fish-shaped} island splits the flow, a low weir {spills|returns} the surplus, and a narrow neck {meters|limits} the rest.",
        "It was built with {bamboo baskets|baskets} full of stones, since a {heap|wall} that can {shift|bend} does not break.",
        "The instructions were {cut|carved} in stone and are {six|a few} words long: dig the channel deep, keep the weir low.",
        "Each {winter|year} the channel was {drained|emptied} and {dug|cleared} down to the iron bars that mark the {proper|right} depth.",
        "More than {two thousand|twenty-two hundred} years later it {waters|feeds} a plain the size of a small country.",
        "Maintenance is not what {follows|comes after} the work; maintenance is the work.",
        "A crack that is {filled|found} in {autumn|September} costs an afternoon, and in {spring|March} it costs a {wall|season}.",
        "The log says who {looked|came}, what they {saw|found}, and what they decided to {leave|let be}.",
        "New {keepers|colleagues} are told to change {nothing|one thing only} during their first {year|high water}.",
        "After that they may {move|change} one {board|stone} at a time, and wait for a {flood|winter} before the next.",
        "Things that {last|work} are usually {looked after|mended} by somebody whose name is not on the {plaque|sign}.",
    ),
)

LISTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "Before you trust a reading, check these:",
        "- ",
        (
            "the staff is **upright** and clean",
            "the crest is level, from one bank to the other",
            "nothing is caught on it, not even a *small* branch",
            "the clock and the log agree",
            "somebody else would write down the same number",
        ),
    ),
    (
        "A weir needs little, but it needs it every year:",
        "- ",
        (
            "**Spring:** clear the driftwood, look for new cracks",
            "**Summer:** repoint the masonry while the water is low",
            "**Autumn:** grease the gates, test the pumps",
            "**Winter:** keep the screens free of ice",
        ),
    ),
    (
        "The day of a lock-keeper, in order:",
        "1. ",
        (
            "read the upper and the lower gauge",
            "walk the gates and listen",
            "let the first boats through, upstream before downstream",
            "write it down before lunch",
            "close the paddles and say good night to the swans",
        ),
    ),
    (
        "Three kinds of crest, and what each is good for:",
        "- ",
        (
            "**sharp:** exact measurement in clear water",
            "**broad:** rivers that carry wood and stones",
            "**labyrinth:** a long edge where there is little room",
        ),
    ),
    (
        "Signs that the river is about to rise:",
        "- ",
        (
            "the swallows fly low and the air smells of iron",
            "the pool turns from green to brown",
            "foam gathers in the slack water behind the pier",
            "rain in the hills, hours ago 🌧",
        ),
    ),
    (
        "If the flow is lower than you expected, ask:",
        "1. ",
        (
            "is the gauge reading true",
            "is something blocking the intake",
            "has somebody upstream opened a gate",
            "was the expectation right in the first place",
        ),
    ),
)

SHORT: tuple[tuple[str, ...], ...] = (
    ("Still.", "Listen.", "Upstream."),
    ("Keep listening.", "Water remembers.", "Slowly, then."),
    ("The river waits.", "Look upstream first.", "It has rained."),
    ("The water is clear.", "Nothing moves but water.", "Keep the weir low."),
    ("The gate is open tonight.", "Dig the channel deep now.", "A heron waits for us."),
    ("The gauge reads the same again.", "It rained all night up there.", "Close the gate a little more."),
    (
        "The pool is calm and very dark.",
        "We measured it twice, and then agreed.",
        "Mist lies on the river until eight.",
    ),
    (
        "Read the staff first, then read it again.",
        "By noon the whole pool was green again.",
        "A weir is a promise in plain stone.",
    ),
    (
        "Two hands on the wheel, and turn it slowly.",
        "The flood came at night and left before breakfast.",
        "Nobody owns the river, but somebody sweeps the steps.",
    ),
)
"""Whole answers of one, two, three … nine words."""

_SLOT = re.compile(r"\{([^{}]*)\}")


def expand(template: str, most: int) -> list[str]:
    """Up to `most` sentences that `template` stands for, spread evenly over all of them."""
    parts = _SLOT.split(template)
    fixed, slots = parts[::2], [part.split("|") for part in parts[1::2]]
    combinations = list(itertools.product(*slots))
    step = max(1, len(combinations) // most)
    return [
        "".join(itertools.chain.from_iterable(zip(fixed, (*combination, ""), strict=True)))
        for combination in combinations[::step][:most]
    ]
