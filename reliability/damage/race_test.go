//go:build race

package damage

// underRace says that all takes several times as long, so samples are a quarter.
const underRace = true
