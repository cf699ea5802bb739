//go:build race

package powercut

// fewImages is what the short form makes: the race detector is slow.
const fewImages = 60
