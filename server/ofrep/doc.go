// Package ofrep gives visitors their variants, over the OpenFeature Remote Evaluation Protocol 0.3
// (https://github.com/open-feature/protocol). A flag is an experiment that Goalgraph assigns (model.GoalgraphAssignment).
//
// The way of an evaluation:
//
//  1. handler.go finds the site by the key, and reads the context.
//  2. flags.go has the site's flags. They are kept until the site's revision moves, which is looked at four times a second,
//     and at once after a change by this process.
//  3. visitors.go knows who the targetingKey is (a user is the visitor of his latest link), which variants that visitor has
//     been given, and the visitor's session.
//  4. evaluate.go decides, in this order: the state of the experiment, forced variants, holdout, layer, the variant that was
//     given before, the audience, the share, the hash (model/allocation).
//  5. keeper.go keeps new assignments, some at a time, behind the answer. One that a crash loses is made again by the hash.
//  6. The evaluation of a single flag is an exposure: exposure.go writes Experiment Viewed, and the answer waits until it is
//     committed. Its message id is the same for all evaluations of a visitor in a run, so it counts once. Bulk evaluations tell the id
//     in metadata.exposureId, by which whoever shows the variant reports the first time.
//
// stream.go tells clients that flags have changed.
package ofrep
