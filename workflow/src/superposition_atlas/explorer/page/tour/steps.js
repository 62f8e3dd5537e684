// The talk in eight steps, a paragraph each. A step sets the page: values, the section it is about, and what to do there.

const falling = [1, 0.9, 0.81, 0.729, 0.6561], equal = [1, 1, 1, 1, 1];
const geometric = [1, 0.3760603093, 0.1414213562, 0.05318295897, 0.02], same = (p) => [p, p, p, p, p];
const usual = { m: 2, initScale: 0.2, learningRate: 0.001, batchSize: 1024, seeds: 8, firstSeed: 0, chosen: 0 };
const fast = { ...usual, learningRate: 0.005, steps: 3000 };

export const STEPS = [
  {
    title: "More ideas than room",
    text: "A language model seems to know far more concepts than it has neurons. How can that be? Take the smallest case: five features, which are numbers between 0 and 1, must pass through two hidden dimensions and come out again. Each feature gets a direction in the plane, drawn as a line. Here every feature is present all the time, and the model does the sensible thing: it gives the two dimensions to the two most important features and gives up on the rest.",
    look: "Two long lines at a right angle in every seed; three features end in the grey disc: not represented.",
    section: "training", values: { ...fast, importance: falling, probability: same(1) }, play: true,
  },
  {
    title: "Rarity makes room",
    text: "Now every feature is present only one time in twenty. Two features that are rarely there at once seldom disturb each other, so they can share a dimension: one points one way, the other the opposite way, and the ReLU at the output cuts off what leaks across. With enough rarity even a pentagon works: five features in two dimensions, none of them undisturbed, all of them readable. This is superposition.",
    look: "Four or five lines leave the disc. Bars turn from purple (alone) to yellow (in superposition).",
    section: "training", values: { ...fast, importance: falling, probability: same(0.05), initScale: 0.5 }, play: true,
  },
  {
    title: "What unequal rarity does",
    text: "Real features are not equally rare. Here the most important feature is always present and each next one is about a third as frequent, down to one time in fifty. The important, frequent features want a dimension for themselves, the rare ones could share. The talk's first observation was made on schedules like this one: training seldom represents all five.",
    look: "Count what is represented in the eight seeds, and compare with the best known solution beside it.",
    section: "training", values: { ...fast, importance: falling, probability: geometric }, play: true,
  },
  {
    title: "Who pairs with whom",
    text: "Two numbers decide. Leaving a feature out costs what it is worth, V: its importance times how much it varies. Letting two features share a dimension costs c, which grows with how often both are present. So a feature looks for a rare partner, and a frequent feature is a bad partner for anyone. Giving each dimension to one feature or to one pair, so that the most is saved, is a matching problem; its answer names the features that the best solution keeps, before anything is trained.",
    look: "Here the important features are the rare ones. The framed squares are the pairs of the matching; compare them with the lines.",
    section: "theory", values: { ...fast, importance: falling, probability: [...geometric].reverse() }, play: true,
  },
  {
    title: "Why the most frequent feature vanishes",
    text: "With equal importance something odd happens: the feature that is present most often is not represented at all. It is not worthless. It is a bad partner: alone it would block a dimension that two rarer features could share, and together they save more. What is left of it is its mean, which the output's bias supplies.",
    look: "Feature 0 is absent in the matching, and its bias is near half its probability.",
    section: "theory", values: { ...fast, importance: equal, probability: [0.9, 0.7, 0.5, 0.3, 0.1] }, play: true,
  },
  {
    title: "What eight seeds show",
    text: "One training run is an anecdote. The eight start from different random numbers and see different samples, and they do not agree: some find the best known solution, some stop at a worse one and stay there. What a single picture suggests may be a fact about the schedule, or luck. The excess loss tells how much each seed misses.",
    look: "Rare features: all five would fit, as the best known solution shows, yet few seeds find it. Each dot below the theory is a seed.",
    section: "theory", values: { ...usual, steps: 10000, importance: falling, probability: [0.05, 0.0334, 0.0224, 0.015, 0.01] }, play: true,
  },
  {
    title: "The whole map",
    text: "Nobody knows which schedule a real network has. So the atlas trains many: from very rare to frequent, from equal to very unequal, with the important features frequent (left) or rare (right). The talk's cases are single cells of it. The map shows which schedules show each observation of the talk.",
    look: "Choose what the map shows, then click a cell: the sliders follow, and its stored toy models appear.",
    section: "atlas", values: { ...fast, importance: falling, probability: geometric }, play: false,
  },
  {
    title: "What sparse autoencoders get back",
    text: "If features overlap, how can they be read? A sparse autoencoder looks at the hidden activations only and tries to explain each of them with few directions of its own. If it works, its decoder directions are the features. On a rare, equal pentagon it usually finds all five; features in pairs, or too frequent to be told apart, are harder. Latents that never fire are dead, and are given a new direction.",
    look: "Orange lines are what the autoencoder has found, grey ones are the truth. Press Train again for another kind or another λ.",
    section: "saes", values: { ...usual, learningRate: 0.005, steps: 3000, importance: equal, probability: same(0.025), initScale: 0.5 }, play: true, sae: true,
  },
];
