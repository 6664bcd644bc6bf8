// Package pipeline makes events of scores: it says when a label has come into view and when it has gone.
//
// It takes the scores of a region's classes, 0 to 1 and one for each class, frame by frame with the time each was
// taken. It gives the changes (enter, leave), the state and the best scores, and the types as which they are
// published. It does no I/O and reads no clock: what it gives depends on what it was given, and on nothing else.
//
// A score is smoothed by an exponential moving average over time, not over frames: after a step of dt it moves by
// 1 - exp(-dt/tau) of the distance, tau being `smoothing`, so that a camera at 5 frames a second and one at 30
// behave alike. Two thresholds with a gap between them (hysteresis, as in a Schmitt trigger) and a time for which a
// crossing must last keep a wavering score from making a flood of events.
package pipeline
