use super::simulation::*;
use super::*;

#[test]
fn explore() {
    let even = Service::Even(20e3);
    let exp = Service::Exponential(20e3);
    let mix = Service::Mixed(5e3, 155e3);
    for slots in [8usize, 200] {
        for (name, service) in [("even", even), ("exp", exp), ("mix", mix)] {
            for burst in [1, 5] {
                let (mut refused, mut most, mut left) = (vec![], vec![], vec![]);
                for seed in 0..5 {
                    let mut s = Simulation::new(slots, 60e6, seed);
                    let o = s.run(Phase { seconds: 60.0, load: 0.8, burst, service });
                    refused.push(o.refused); most.push(o.most_under_way); left.push(o.limit);
                }
                let base = 0;
                println!("{slots:4} {name:5} burst {burst} 0.8x refused {refused:?} most {most:?} limit {left:?} {base}");
            }
            for seed in 7..10 {
            let mut s = Simulation::new(slots, 10.0 * service.mean(), seed);
            let cold = s.run(Phase { seconds: 5.0, load: 3.0, burst: 1, service });
            println!("  cold {:.2} L{} left {}", cold.goodput(), cold.limit, cold.left);
            }
        }
    }
}

fn slower(s: Service, by: f64) -> Service {
    match s { Service::Even(a) => Service::Even(a*by), Service::Exponential(a) => Service::Exponential(a*by), Service::Mixed(a,b) => Service::Mixed(a*by,b*by) }
}

#[test]
fn steps() {
    for (name, service) in [("even", Service::Even(20e3)), ("exp", Service::Exponential(20e3)), ("mix", Service::Mixed(5e3, 155e3)), ("slow", Service::Exponential(1e6))] {
      for slots in [8, 100, 1000] {
        let by = slower(service, 3.0);
        let show = |what: &str, o: Outcome, s: &Simulation| println!("{name} {slots} {what}: good {:.2} arrived {} refused {} late {} left {} L{} most {} base {:?} cur {:?}", o.goodput(), o.arrived, o.refused, o.refused_late, o.left, o.limit, o.most_under_way, s.limit.figures().base.unwrap(), s.limit.figures().current.unwrap());
        let ph = |seconds, load, service| Phase { seconds, load, burst: 1, service };
        let mut s = Simulation::new(slots, 30.0*service.mean(), 1);
        let o = s.run(ph(20.0, 0.25, service)); show("0.25", o, &s);
        let o = s.run(ph(60.0, 0.75, by)); show("slower", o, &s);
        let o = s.run(ph(30.0, 3.0, by)); show("over", o, &s);
        let o = s.run(ph(60.0, 0.8, by)); show("rec", o, &s);
        let mut s = Simulation::new(slots, 30.0*service.mean(), 1);
        let o = s.run(ph(20.0, 0.8, service)); show("0.8", o, &s);
        let o = s.run(ph(20.0, 3.0, service)); show("over", o, &s);
        let o = s.run(ph(20.0, 9.0, by)); show("slower at over", o, &s);
        let o = s.run(ph(20.0, 3.0, service)); show("as before", o, &s);
        let o = s.run(ph(20.0, 0.8, service)); show("rec", o, &s);
        let mut s = Simulation::new(slots, 30.0*service.mean(), 1);
        let o = s.run(ph(20.0, 0.05, service)); show("idle", o, &s);
        let o = s.run(ph(20.0, 0.8, service)); show("load step", o, &s);
        if slots == 8 && name != "slow" {
        for load in [1.005, 1.02, 1.1, 1.3] {
        let mut s = Simulation::new(slots, 60e6, 1);
        let o = s.run(ph(20.0, 0.8, service));
        let o = s.run(ph(300.0, load, service)); show(&format!("x{load}"), o, &s);
        }
        let mut s = Simulation::new(slots, 10.0*service.mean(), 1);
        let o = s.run(ph(20.0, 0.8, service));
        let o = s.run(ph(900.0, 3.0, service)); show("15 min", o, &s);
        }
      }
    }
}

#[test]
fn debug() {
    let service = Service::Exponential(20e3);
    let mut s = Simulation::new(200, 200e3, 8);
    for i in 0..40 {
      let o = s.run(Phase { seconds: 0.125, load: 3.0, burst: 1, service });
      println!("  {i} {:.2} {:?} {:?}", o.goodput(), s.limit.figures(), s.limit.closing.lock().unwrap().gradient);
    }
}
