//go:build race

package step

// underRace says that the children run the race detector's instructions as well,
// ten times as many as their own.
const underRace = true
