use proptest::prelude::*;

use super::*;
use crate::model::ZoneId;

const ARENAS: [ZoneId; 2] = [ZoneId(1_001), ZoneId(1_002)];

fn member(number: u64) -> Member {
    let (account, character) = (AccountId(number), CharacterId(number));
    Member { account, character, name: format!("p{number}") }
}

fn wanted(first: u64, size: u64, mode: Mode, rating: i32) -> Wanted {
    Wanted {
        account: AccountId(first),
        key: "key".into(),
        mode,
        members: (first..first + size).map(member).collect(),
        rating,
        floor: ZoneId(3),
        latencies: BTreeMap::new(),
    }
}

fn advance(lobby: &mut Lobby, now: u64) {
    lobby.advance(now, Places { gateways: &[], arenas: &ARENAS });
}

fn state(lobby: &mut Lobby, now: u64, number: u64) -> State {
    let account = lobby.tickets[&number].account;
    lobby.ticket(now, number, account).unwrap().state.clone()
}

fn allocation(state: State) -> Allocation {
    let State::Allocated(allocation) = state else { panic!("{state:?}") };
    allocation
}

#[test]
fn parties_are_joined_by_their_code_and_left() {
    let mut lobby = Lobby::default();
    let party = code(0x1234_5678_9abc_def0);
    assert_eq!(party.len(), 8);
    assert_ne!(party, code(1));
    lobby.make_party(1, &party, member(1)).unwrap();
    assert_eq!(lobby.make_party(1, "OTHER", member(1)), Err(LobbyError::InParty));
    assert_eq!(lobby.join_party(1, "OTHER", member(2)), Err(LobbyError::NoParty));
    for number in [2, 2, 3, 4] {
        lobby.join_party(2, &party, member(number)).unwrap();
    }
    assert_eq!(lobby.join_party(2, &party, member(5)), Err(LobbyError::PartyFull));
    assert_eq!(lobby.party(3, &party, AccountId(5)), Err(LobbyError::NoParty));
    lobby.leave_party(3, &party, CharacterId(1)).unwrap();
    assert_eq!(lobby.leave_party(3, &party, CharacterId(1)), Err(LobbyError::NoParty));
    let led: Vec<_> = lobby.party(3, &party, AccountId(3)).unwrap().members.clone();
    assert_eq!(led, [member(2), member(3), member(4)]);
    for number in 2..=4 {
        lobby.leave_party(4, &party, CharacterId(number)).unwrap();
    }
    assert_eq!(lobby.party(4, &party, AccountId(2)), Err(LobbyError::NoParty));
    lobby.make_party(5, &party, member(1)).unwrap();
    advance(&mut lobby, 5 + 3_600);
    assert_eq!(lobby, Lobby::default());
}

#[test]
fn the_same_key_is_the_same_ticket() {
    let mut lobby = Lobby::default();
    let first = lobby.request(1, wanted(1, 1, Mode::Duel, 1_500)).unwrap();
    assert_eq!(first, (1, true));
    assert_eq!(lobby.request(9, wanted(1, 1, Mode::Teams, 7)), Ok((1, false)));
    let other = || Wanted { key: "other".into(), ..wanted(1, 1, Mode::Duel, 1_500) };
    assert_eq!(lobby.request(9, other()), Err(LobbyError::HasTicket));
    lobby.cancel(9, 1, AccountId(1)).unwrap();
    assert_eq!(lobby.request(9, other()), Ok((2, true)));
    assert_eq!(lobby.request(9, wanted(1, 1, Mode::Duel, 1_500)), Ok((1, false)));
    for (size, mode) in [(2, Mode::Duel), (1, Mode::Teams), (0, Mode::Dungeon)] {
        assert_eq!(lobby.request(9, wanted(7, size, mode, 0)), Err(LobbyError::WrongSize));
    }
    assert_eq!(lobby.ticket(9, 2, AccountId(2)), Err(LobbyError::NoTicket));
    assert_eq!(lobby.cancel(9, 3, AccountId(1)), Err(LobbyError::NoTicket));
}

#[test]
fn waiting_widens_the_gap_and_the_nearest_is_taken() {
    let mut lobby = Lobby::default();
    for (number, rating) in [(1, 1_500), (2, 1_700), (3, 1_640)] {
        lobby.request(0, wanted(number, 1, Mode::Duel, rating)).unwrap();
    }
    lobby.request(0, wanted(10, 2, Mode::Teams, 1_500)).unwrap();
    advance(&mut lobby, 0);
    // The second and the third are near enough at once; nobody is left for the first.
    let against = |state: State| {
        let it = allocation(state);
        (it.zone, it.against, it.until)
    };
    assert_eq!(against(state(&mut lobby, 0, 2)), (ARENAS[0], vec![member(3)], 60));
    assert_eq!(against(state(&mut lobby, 0, 3)), (ARENAS[0], vec![member(2)], 60));
    lobby.request(5, wanted(4, 1, Mode::Duel, 1_650)).unwrap();
    advance(&mut lobby, 9);
    assert_eq!(state(&mut lobby, 9, 1), State::Waiting);
    advance(&mut lobby, 10);
    // Both must have waited for it: 100 and ten for each second since the fifth.
    assert_eq!(against(state(&mut lobby, 10, 1)), (ARENAS[1], vec![member(4)], 70));
    assert_eq!(lobby.waiting(), [(Mode::Dungeon, 0), (Mode::Duel, 0), (Mode::Teams, 1)]);
}

#[test]
fn what_nobody_asks_after_or_takes_up_ends() {
    let mut lobby = Lobby::default();
    lobby.request(0, wanted(1, 1, Mode::Duel, 1_500)).unwrap();
    lobby.request(0, wanted(2, 1, Mode::Dungeon, 1_500)).unwrap();
    for now in (0..200).step_by(20) {
        advance(&mut lobby, now);
        assert_eq!(state(&mut lobby, now, 1), State::Waiting);
    }
    assert_eq!(state(&mut lobby, 180, 2), State::Expired { at: 60 });
    advance(&mut lobby, 210);
    assert_eq!(state(&mut lobby, 210, 1), State::Expired { at: 210 });
    advance(&mut lobby, 510);
    assert_eq!(lobby.ticket(510, 1, AccountId(1)), Err(LobbyError::NoTicket));
}

#[test]
fn a_party_that_changes_waits_no_more_and_each_side_has_its_nearest_gateway() {
    let mut lobby = Lobby::default();
    lobby.make_party(0, "PARTY", member(1)).unwrap();
    lobby.join_party(0, "PARTY", member(2)).unwrap();
    assert_eq!(lobby.company(CharacterId(2)).unwrap().len(), 2);
    assert_eq!(lobby.company(CharacterId(3)), None);
    lobby.request(0, wanted(1, 2, Mode::Teams, 1_500)).unwrap();
    lobby.join_party(1, "PARTY", member(3)).unwrap();
    assert_eq!(state(&mut lobby, 1, 1), State::Cancelled { at: 1 });

    let near = |first, key: &str| Wanted {
        key: key.into(),
        latencies: BTreeMap::from([("far".into(), 90), ("near".into(), 9)]),
        ..wanted(first, 1, Mode::Duel, 1_500)
    };
    lobby.request(1, near(1, "again")).unwrap();
    lobby.request(1, wanted(9, 1, Mode::Duel, 1_500)).unwrap();
    let gateways = ["far".to_owned(), "near".to_owned()];
    lobby.advance(1, Places { gateways: &gateways, arenas: &ARENAS });
    let gateway = |state| allocation(state).gateway.unwrap();
    assert_eq!(gateway(state(&mut lobby, 1, 2)), "near");
    assert_eq!(gateway(state(&mut lobby, 1, 3)), "far");
}

#[test]
fn everybody_takes_a_match_up_before_it_is_called() {
    let mut lobby = Lobby::default();
    let request = |lobby: &mut Lobby, first, now| {
        lobby.request(now, wanted(first, 2, Mode::Teams, 1_500)).unwrap().0
    };
    let (one, two) = (request(&mut lobby, 1, 100), request(&mut lobby, 3, 100));
    assert_eq!(lobby.take_up(100, one, AccountId(1)), Err(LobbyError::NotAllocated));
    advance(&mut lobby, 100);
    assert_eq!(lobby.take_up(101, one, AccountId(3)), Err(LobbyError::NoTicket));
    for (ticket, account) in [(one, 1), (one, 2), (one, 2), (two, 3)] {
        lobby.take_up(110, ticket, AccountId(account)).unwrap();
        assert!(!allocation(state(&mut lobby, 110, one)).is_called);
    }
    // The one that is missing lets it come to nothing: for its own side, not for the other.
    advance(&mut lobby, 160);
    assert_eq!(state(&mut lobby, 160, one), State::Waiting);
    assert_eq!(state(&mut lobby, 160, two), State::Expired { at: 160 });

    let three = request(&mut lobby, 5, 170);
    advance(&mut lobby, 170);
    for (ticket, account) in [(one, 1), (one, 2), (three, 5), (three, 6)] {
        lobby.take_up(180, ticket, AccountId(account)).unwrap();
    }
    let [mine, theirs] = [one, three].map(|it| allocation(state(&mut lobby, 180, it)));
    assert!(mine.is_called && theirs.is_called);
    assert_eq!((mine.until, theirs.until), (240, 240));
    let seats = [mine.seat.unwrap(), theirs.seat.unwrap()];
    assert_eq!(seats[0].number, seats[1].number);
    assert_ne!(seats[0].side, seats[1].side);
    lobby.note_progress(one, CharacterId(2), Progress::Arrived);
    assert_eq!(
        allocation(state(&mut lobby, 181, one)).progress[&CharacterId(2)],
        Progress::Arrived
    );
    // Whoever looks for another is called no more; the rest goes on.
    let other = Wanted { key: "other".into(), ..wanted(5, 1, Mode::Duel, 1_500) };
    lobby.request(190, other).unwrap();
    assert_eq!(state(&mut lobby, 190, three), State::Over { at: 190 });
    advance(&mut lobby, 240);
    assert_eq!(state(&mut lobby, 240, one), State::Over { at: 240 });

    // A lobby that begins anew does not use numbers again.
    let mut anew = Lobby::default();
    for first in [1, 3] {
        request(&mut anew, first, 241);
    }
    advance(&mut anew, 241);
    assert!(allocation(state(&mut anew, 241, 1)).seat.unwrap().number > seats[0].number);
}

#[test]
fn nobody_fights_a_character_of_their_own() {
    let mut lobby = Lobby::default();
    let two = Member { account: AccountId(1), ..member(2) };
    lobby.request(0, wanted(1, 1, Mode::Duel, 1_500)).unwrap();
    let own = Wanted { key: "own".into(), members: vec![two], ..wanted(1, 1, Mode::Duel, 1_500) };
    lobby.request(0, own).unwrap();
    advance(&mut lobby, 1);
    assert_eq!(lobby.waiting()[1], (Mode::Duel, 2));
}

#[test]
fn who_cancels_sets_the_other_side_free() {
    let mut lobby = Lobby::default();
    for number in [1, 2] {
        lobby.request(0, wanted(number, 1, Mode::Duel, 1_500)).unwrap();
    }
    advance(&mut lobby, 0);
    lobby.cancel(9, 1, AccountId(1)).unwrap();
    assert_eq!(state(&mut lobby, 9, 2), State::Waiting);
    lobby.request(9, wanted(3, 1, Mode::Dungeon, 1_500)).unwrap();
    advance(&mut lobby, 9);
    lobby.take_up(10, 3, AccountId(3)).unwrap();
    let floor = allocation(state(&mut lobby, 10, 3));
    assert_eq!((floor.is_called, floor.seat, floor.zone), (true, None, ZoneId(3)));
    lobby.cancel(11, 3, AccountId(3)).unwrap();
    assert_eq!(state(&mut lobby, 11, 3), State::Cancelled { at: 11 });
}

/// Somebody does something.
#[derive(Clone, Debug)]
enum Deed {
    Request { who: u64, mode: Mode, rating: i32 },
    Ask { who: u64 },
    Cancel { who: u64 },
    TakeUp { who: u64 },
    Wait { seconds: u64 },
}

fn deed() -> impl Strategy<Value = Deed> {
    let mode = prop_oneof![Just(Mode::Dungeon), Just(Mode::Duel), Just(Mode::Teams)];
    prop_oneof![
        4 => (0u64..20, mode, 1_000i32..2_000)
            .prop_map(|(who, mode, rating)| Deed::Request { who, mode, rating }),
        2 => (0u64..20).prop_map(|who| Deed::Ask { who }),
        1 => (0u64..20).prop_map(|who| Deed::Cancel { who }),
        2 => (0u64..20).prop_map(|who| Deed::TakeUp { who }),
        3 => (0u64..40).prop_map(|seconds| Deed::Wait { seconds }),
    ]
}

fn play(deeds: &[Deed]) -> Lobby {
    let (mut lobby, mut now) = (Lobby::default(), 0);
    for (number, deed) in deeds.iter().enumerate() {
        match *deed {
            Deed::Request { who, mode, rating } => {
                let size = if mode == Mode::Teams { 2 } else { 1 };
                let key = number.to_string();
                // Refused where somebody has another ticket.
                let _ =
                    lobby.request(now, Wanted { key, ..wanted(who * 2 + 1, size, mode, rating) });
            }
            Deed::Ask { who } | Deed::Cancel { who } | Deed::TakeUp { who } => {
                let account = AccountId(who * 2 + 1);
                let own = lobby.tickets.iter().find(|(_, it)| it.account == account);
                let Some((&ticket, _)) = own else { continue };
                lobby.ticket(now, ticket, account).unwrap();
                if matches!(deed, Deed::Cancel { .. }) {
                    lobby.cancel(now, ticket, account).unwrap();
                }
                if matches!(deed, Deed::TakeUp { .. }) {
                    // Refused where nothing is allocated.
                    let _ = lobby.take_up(now, ticket, account);
                }
            }
            Deed::Wait { seconds } => now += seconds,
        }
        advance(&mut lobby, now);
        check(&lobby, now);
    }
    lobby
}

/// Whoever is allocated against others is what these are allocated against, in one arena.
fn check(lobby: &Lobby, now: u64) {
    let mut live: Vec<CharacterId> = Vec::new();
    for ticket in lobby.tickets.values() {
        let members = ticket.members.iter().map(|it| it.character);
        match &ticket.state {
            State::Waiting => assert!(now < ticket.lease()),
            State::Allocated(Allocation { is_called: true, until, seat, progress, .. }) => {
                assert!(now < *until);
                assert!(seat.is_none() || progress.len() == ticket.members.len());
                continue;
            }
            State::Allocated(Allocation { until, zone, against, .. }) => {
                assert!(now < *until);
                let is_other = |it: &&Ticket| it.is_live() && it.members == *against;
                let other = lobby.tickets.values().find(is_other);
                assert_eq!(against.is_empty(), ticket.mode == Mode::Dungeon);
                assert_eq!(other.is_none(), ticket.mode == Mode::Dungeon);
                assert_eq!(ARENAS.contains(zone), ticket.mode != Mode::Dungeon);
                let size = if ticket.mode == Mode::Dungeon { 0 } else { ticket.members.len() };
                assert_eq!(against.len(), size);
            }
            State::Over { .. } | State::Expired { .. } | State::Cancelled { .. } => continue,
        }
        live.extend(members);
    }
    let count = live.len();
    live.sort_unstable();
    live.dedup();
    assert_eq!(live.len(), count, "somebody has two tickets");
    let waiting: Vec<&Ticket> =
        lobby.tickets.values().filter(|it| it.state == State::Waiting).collect();
    for one in &waiting {
        let alike = |other: &&&Ticket| {
            !std::ptr::eq(**other, *one) && other.mode == one.mode && other.rating == one.rating
        };
        assert_eq!(waiting.iter().find(alike), None, "two that fit wait");
    }
}

proptest! {
    #[test]
    fn nobody_is_in_two_places_and_the_same_deeds_make_the_same_lobby(
        deeds in proptest::collection::vec(deed(), 0..60)
    ) {
        let lobby = play(&deeds);
        prop_assert_eq!(&play(&deeds), &lobby);
        let text = serde_json::to_vec(&lobby).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Lobby>(&text).unwrap(), lobby);
    }
}
