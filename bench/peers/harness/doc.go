// Package harness runs the Go peers of the benchmark: it reads the flags, starts producers and consumers as
// processes of their own, makes and checks the records, keeps the schedule and the clock, and prints the result.
//
// A peer says how to hand records over and how to get them, and nothing else:
//
//	func main() {
//		harness.Main(harness.Peer{
//			Name:    "pipe",
//			Version: harness.Kernel,
//			Setup:   setup,   // once, in the parent: files, servers
//			Produce: produce, // in each producer
//			Consume: consume, // in each consumer
//		})
//	}
//
//	func produce(p *harness.Producer) error {
//		buf := make([]byte, p.Size)
//		if err := p.Ready(); err != nil { // opened, connected; returns at the common start
//			return err
//		}
//		for p.Fill(buf) { // false when the measurement is over
//			if _, err := p.File(1).Write(buf); err != nil {
//				return err
//			}
//		}
//		return nil // everything is acknowledged
//	}
//
//	func consume(c *harness.Consumer) error {
//		if err := c.Ready(); err != nil {
//			return err
//		}
//		for {
//			rec := … // the next record
//			if done, err := c.Take(rec); done || err != nil {
//				return err
//			}
//		}
//	}
//
// The program is called as PROGRAM NAME FLAGS… and starts itself again for each role.
package harness
