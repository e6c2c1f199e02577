//! A name server that knows one name: the cluster's own, for the headless Service.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// How long answers are valid, in seconds: the least that the mesh does not take for less.
const VALID_FOR: u32 = 1;
const HEADER: usize = 12;
/// A question's kind and class.
const QUESTION_TAIL: usize = 4;
const ADDRESS: u16 = 1;

/// Answers every question with the addresses that it knows.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    known: Arc<Mutex<Vec<Ipv4Addr>>>,
    answering: AbortHandle,
}

impl NameServer {
    pub(crate) async fn start() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let known = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::clone(&known);
        let answering = tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let known = answers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if let Some(answer) = answer(&question[..length], &known) {
                    // Who asked and has gone asks nobody again.
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self {
            address,
            known,
            answering: answering.abort_handle(),
        })
    }

    /// From now on the name has these addresses.
    pub(crate) fn set(&self, known: Vec<Ipv4Addr>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// The answer to a question, when it is one.
fn answer(question: &[u8], known: &[Ipv4Addr]) -> Option<Vec<u8>> {
    let mut end = HEADER;
    while *question.get(end)? != 0 {
        end += 1 + usize::from(question[end]);
    }
    end += 1;
    let kind = question.get(end..end + QUESTION_TAIL)?;
    let known = if u16::from_be_bytes([kind[0], kind[1]]) == ADDRESS {
        known
    } else {
        &[]
    };
    let mut out = question[..end + QUESTION_TAIL].to_vec();
    // An answer, to one question, without an error.
    out[2..4].copy_from_slice(&[0x81, 0x80]);
    out[4..HEADER].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    out[6..8].copy_from_slice(&u16::try_from(known.len()).ok()?.to_be_bytes());
    for address in known {
        // The name asked for, an address, of the internet.
        out.extend([0xc0, 0x0c, 0, 1, 0, 1]);
        out.extend(VALID_FOR.to_be_bytes());
        out.extend([0, 4]);
        out.extend(address.octets());
    }
    Some(out)
}
